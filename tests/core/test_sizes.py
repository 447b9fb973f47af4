"""Tables cut and padded to one size: what is asked stays asked, and no padding answers it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kblam_core.errors import InputError
from kblam_core.evaluation.questions import Question, askable, read_questions
from kblam_core.evaluation.runner import Case, find_suite, run
from kblam_core.evaluation.sizes import read_distractors, resize, taken
from kblam_core.triples import Triple, read_table
from tests.core.fake_kblam import FakeKblam

ASSETS = Path(__file__).parents[2] / "assets"
FACTS = [Triple(f"Mill {number}", prop, f"v{number}{prop}") for number in range(10) for prop in ("owner", "year")]
QUESTIONS = [Question(f"Who is the owner of Mill {number}?", f"Mill {number}", "owner", f"v{number}owner") for number in range(10)]
REFUSE = [
    Question("What is the colour of Mill 7?", "Mill 7", "colour", None, "missing_property"),
    Question("Who sings best?", "", "", None, "unrelated"),
    Question("Who owns Gold Hill?", "Gold Hill", "owner", None, "missing_entity"),
]


def keys(case: Case) -> set[tuple[str, str]]:
    return {(triple.entity, triple.property) for triple in case.triples}


def test_cutting_asks_every_question_once_on_a_part_that_holds_its_fact():
    parts = resize([Case("mills", FACTS, QUESTIONS + REFUSE)], 4)
    assert len(parts) == 3 and {part.name for part in parts} == {"mills"}
    assert all(len(keys(part)) == 4 for part in parts)
    assert sorted(q.question for part in parts for q in part.questions) == sorted(q.question for q in QUESTIONS + REFUSE)
    assert all(askable(part.questions, part.triples) == (list(part.questions), []) for part in parts)
    held = next(part for part in parts if REFUSE[0] in part.questions)
    assert any(entity == "Mill 7" for entity, _ in keys(held))


def test_padding_takes_the_other_tables_first_and_never_what_a_question_names():
    other = Case("b", [Triple("Gold Hill", "owner", "Ida"), Triple("mill 3", "colour", "red"), Triple("Ferry", "owner", "Ola")], [])
    extra = [Triple("Ferry", "Owner", "another"), Triple("Sings Best", "label", "x"), Triple("School", "head", "Eva")]
    sized, _ = resize([Case("mills", FACTS, QUESTIONS + REFUSE), other], 22, distractors=[*extra, *FACTS])
    added = set(sized.triples) - set(FACTS)
    assert added == {Triple("Ferry", "owner", "Ola"), Triple("School", "head", "Eva")}
    assert set(FACTS) <= set(sized.triples)
    with pytest.raises(InputError, match="padded to 22 facts, not to 30"):
        resize([Case("mills", FACTS, QUESTIONS + REFUSE), other], 30, distractors=extra)


def test_the_same_seed_makes_the_same_tables():
    cases = [Case("mills", FACTS, QUESTIONS)]
    first, again, other = (resize(cases, 50, seed=seed)[0].triples for seed in (1, 1, 2))
    assert first == again and first != other


def test_parts_are_reported_as_one_table():
    cases = [Case("mills", FACTS, QUESTIONS), Case("b", FACTS, QUESTIONS[:2])]
    report = run(FakeKblam(), resize(cases, 4), size=4)
    assert (report["size"], report["n_triples"], report["n_questions"]) == (4, 4, 12)
    assert [(table["name"], table["n_triples"], table["n_questions"]) for table in report["tables"]] == [("mills", 4, 10), ("b", 4, 2)]


@pytest.mark.parametrize("folder", ["evaluation", "evaluation_held_out"])
def test_shipped_distractors_are_many_different_and_about_nothing_that_is_asked(folder):
    distractors = read_distractors()
    assert len(distractors) >= 10_000
    assert len({(triple.entity.casefold(), triple.property.casefold()) for triple in distractors}) == len(distractors)
    for table, asked in find_suite(ASSETS / folder):
        meant = taken(Case(table.stem, read_table(table).triples, read_questions(asked)))
        assert not [triple.entity for triple in distractors if meant(triple.entity)]


def test_the_suite_asks_every_question_at_every_size():
    cases = [Case(table.stem, read_table(table).triples, read_questions(asked)) for table, asked in find_suite(ASSETS / "evaluation")]
    for size in (10, 100, 1000, 10_000):
        sized = resize(cases, size)
        assert all(len(case.triples) == size for case in sized)
        assert sum(len(askable(case.questions, case.triples)[0]) for case in sized) == 450
