"""Questions with a history or several values: reading, judging, asking; and the shipped extra set."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from kblam_core.evaluation.metrics import is_exact_all
from kblam_core.evaluation.questions import Question, askable, read_questions
from kblam_core.evaluation.runner import Case, find_suite, run
from kblam_core.evaluation.sizes import resize
from kblam_core.triples import read_table
from tests.core.fake_kblam import FakeKblam
from tests.core.test_evaluation import FACTS

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "assets" / "evaluation"
BOTH = Question(
    "What is the director of Halden Workshop and the address of Corvin Library?",
    ("Halden Workshop", "Corvin Library"),
    ("director", "address"),
    ("Mara Lund", "4 Quay Street"),
    "two_facts",
)
THEN = Question(
    "And its opening year?",
    "Halden Workshop",
    "opening year",
    "1987",
    "follow_up",
    (("Who directs Halden Workshop?", "Mara Lund."),),
)


class Says(FakeKblam):
    """Always answers the same."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.histories = text, []

    def ask(self, kb, question, *, history=(), options=None):
        self.histories.append(history)
        answer = super().ask(kb, question, history=history, options=options)
        answer.text, answer.refused, answer.state = self.text, False, "answered"
        return answer

    def generate_text(self, messages, *, max_new_tokens=64):
        return self.text, super().generate_text(messages)[1]


def test_lists_and_history_are_read(tmp_path):
    lines = [
        {"question": "a and b of E?", "entity": "E", "property": ["a", "b"], "answer": ["x", 2]},
        {"question": "And b?", "entity": "E", "property": "b", "answer": "2", "history": [["a of E?", "x."]]},
        {"question": "one of E?", "entity": "E", "property": "one", "answer": ["x"]},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    several, follow_up, single = read_questions(tmp_path / "q.jsonl")
    assert several.golds == ("x", "2") and several.keys == (("e", "a"), ("e", "b"))
    assert follow_up.history == (("a of E?", "x."),) and follow_up.texts == ("a of E?", "x.", "And b?")
    assert single.golds == ("x",)


def test_a_question_needs_all_its_facts_in_the_table():
    kept, notes = askable([BOTH], FACTS)
    assert kept == [BOTH] and not notes
    kept, notes = askable([BOTH], FACTS[:2])
    assert not kept and "1 questions are left out" in notes[0]


@pytest.mark.parametrize(
    ("text", "correct", "exact"),
    [
        ("The director of Halden Workshop is Mara Lund. The address of Corvin Library is 4 Quay Street.", True, True),
        ("Mara Lund and 4 Quay Street", True, True),
        ("4 Quay Street for Mara Lund", True, False),
        ("The director of Halden Workshop is Mara Lund.", False, False),
    ],
)
def test_both_values_must_be_given(text, correct, exact):
    row = run(Says(text), [Case("facts", FACTS, [BOTH])])["rows"][0]
    assert (row["correct"], row["right"], row["exact"]) == (correct, correct, exact)
    assert row["gold"] == ("Mara Lund", "4 Quay Street")


def test_the_rank_counts_until_the_last_needed_fact():
    row = run(FakeKblam(), [Case("facts", FACTS, [BOTH])], mode="dense")["rows"][0]
    assert row["rank"] in (1, 2, 3) and not row["correct"]


def test_no_values_are_no_exact_answer():
    assert not is_exact_all("", ["!", "?"], [], refused=False)


def test_the_history_reaches_the_model_and_the_report():
    model = Says("1987")
    report = run(model, [Case("facts", FACTS, [THEN])])
    assert model.histories == [THEN.history]
    assert json.loads(json.dumps(report))["rows"][0]["history"] == [["Who directs Halden Workshop?", "Mara Lund."]]


@pytest.mark.parametrize("mode", ["rag", "rag-plain", "in-context", "zero-shot"])
def test_prompted_baselines_see_the_conversation(mode):
    model = FakeKblam()
    run(model, [Case("facts", FACTS, [THEN])], mode=mode)
    said = [(turn["role"], turn["content"]) for turn in model.prompts[-1]]
    assert said[-3:-1] == [("user", "Who directs Halden Workshop?"), ("assistant", "Mara Lund.")]
    assert said[-1][1].endswith("And its opening year?")


def test_retrieval_searches_with_the_question_before():
    row = run(FakeKblam(), [Case("facts", FACTS, [THEN])], mode="dense")["rows"][0]
    assert row["facts"][0][0] == "Halden Workshop"


def test_a_polite_reply_is_no_answer_from_the_table():
    class Polite(Says):
        def ask(self, *args, **options):
            answer = super().ask(*args, **options)
            answer.state = "small_talk"
            return answer

    hello = Question("Hello!", "", "", None, "unrelated")
    assert run(Polite("Hello."), [Case("facts", FACTS, [hello])])["rows"][0]["right"]
    assert not run(Says("Hello."), [Case("facts", FACTS, [hello])])["rows"][0]["right"]


def test_the_extra_set_fits_its_tables_at_every_size():
    found = find_suite(SUITE, sets=["extra"])
    cases = [Case(table.stem, read_table(table).triples, read_questions(asked)) for table, asked in found]
    kinds = {question.kind for case in cases for question in case.questions}
    assert {"two_facts", "follow_up", "lower_case", "typo", "no_question_mark"} <= kinds
    for size in (10, 100, 1000):
        assert sum(len(askable(case.questions, case.triples)[0]) for case in resize(cases, size)) == 520


def test_several_sets_of_questions_are_one_table_each():
    found = find_suite(SUITE, sets=["main", "extra"])
    assert len(found) == 20
    cases = [
        Case(table.stem, read_table(table).triples, read_questions(asked)) for table, asked in found if table.stem in ("museum", "clinic")
    ]
    report = run(FakeKblam(), cases, mode="dense")
    assert report["n_triples"] == 79 + 77 and report["n_questions"] == 2 * (45 + 52)
    assert [table["n_questions"] for table in report["tables"]] == [97, 97]


def test_the_script_makes_the_shipped_extra_set():
    spec = importlib.util.spec_from_file_location("make_extra_questions", ROOT / "tools" / "make_extra_questions.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for table, asked in find_suite(SUITE):
        lines = script.Maker(table.stem, read_table(table).triples, read_questions(asked)).lines()
        shipped = (SUITE / f"{table.stem}.extra.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in shipped] == lines
