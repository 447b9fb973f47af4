"""The shipped adapter, for real: held-out tables, edits, refusals, exact values."""

import json
from pathlib import Path

import numpy as np
import pytest

from kblam_core import AskOptions, Kblam, Triple, read_table
from kblam_core.evaluation.questions import read_questions
from kblam_core.evaluation.runner import Case, run

EVALUATION = Path(__file__).parents[2] / "assets" / "evaluation"
RESULTS = EVALUATION.parent / "results"
FACTS = [
    Triple("Halden Workshop", "head", "Ingrid Solberg"),
    Triple("Halden Workshop", "opening hours", "Mon-Fri 8:00-17:30"),
    Triple("Laurel House", "founder", "Aurélie N'Diaye-Ström"),
    Triple("Laurel House", "phone number", "+47 55 01 23 98"),
    Triple("Maritime Hall", "order code", "QX-7719/b"),
    Triple("Дом учёных", "адрес", "ул. Пречистенка, 16"),
]


@pytest.fixture(scope="module")
def kblam() -> Kblam:
    return Kblam.load()


def test_answers_edits_and_refuses(kblam: Kblam) -> None:
    kb = kblam.knowledge_base(FACTS)
    answer = kblam.ask(kb, "Who runs the Halden Workshop?")
    assert "Ingrid Solberg" in answer.text and not answer.refused
    assert (answer.sources[0].entity, answer.sources[0].property) == ("Halden Workshop", "head")
    assert kb.update([Triple("Halden Workshop", "head", "Bjørn Aas"), *FACTS[1:]]) == 1
    assert "Bjørn Aas" in kblam.ask(kb, "Who runs the Halden Workshop?").text
    refused = kblam.ask(kb, "Who founded Linden House?")
    assert refused.refused and refused.state == "refused" and refused.sources == [] and refused.nearest
    assert kblam.ask(kblam.knowledge_base(), "Who runs it?").state == "empty_table"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*-kblam.json")), ids=lambda path: path.stem)
def test_results_were_made_with_the_shipped_adapter(kblam: Kblam, path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["adapter_fingerprint"] == kblam.adapter.fingerprint()


def test_values_come_out_character_for_character(kblam: Kblam) -> None:
    kb = kblam.knowledge_base(FACTS)
    for question, value in (
        ("What number do I dial for Laurel House?", "+47 55 01 23 98"),
        ("order code of Maritime Hall", "QX-7719/b"),
        ("Who founded Laurel House?", "Aurélie N'Diaye-Ström"),
    ):
        assert value in kblam.ask(kb, question).text


def test_drafts_do_not_change_the_answer(kblam: Kblam, monkeypatch: pytest.MonkeyPatch) -> None:
    from kblam_core import decoding

    kb = kblam.knowledge_base(FACTS)
    questions = ["Who runs the Halden Workshop?", "When can I visit the Halden Workshop?", "Who founded Linden House?"]
    drafted = [kblam.ask(kb, question).text for question in questions]
    monkeypatch.setattr(decoding, "DRAFT", 0)
    assert [kblam.ask(kb, question).text for question in questions] == drafted


def test_trace_rows_sum_to_one(kblam: Kblam) -> None:
    answer = kblam.ask(kblam.knowledge_base(FACTS), "Who runs the Halden Workshop?", options=AskOptions(trace=True))
    assert answer.trace is not None
    np.testing.assert_allclose(answer.trace.weights.astype(np.float32).sum(-1), 1, atol=5e-3)
    heatmap = answer.trace.heatmap(rows="answer", top_k=3)
    assert FACTS[heatmap.facts[0]].value == "Ingrid Solberg"
    assert len(heatmap.tokens) == len(heatmap.weights) == len(heatmap.kb_mass)


def test_held_out_tables(kblam: Kblam) -> None:
    """A part of the held-out suite, at a level that only a broken adapter would miss; the full figures are in assets/results."""
    cases = [
        Case(name, read_table(EVALUATION / f"{name}.csv").triples, read_questions(EVALUATION / f"{name}.jsonl"))
        for name in ("elements", "museum", "clinic", "counterfactual")
    ]
    report = run(kblam, cases, mode="kblam", limit=40, seed=1)
    assert report["accuracy"] >= 0.7


def test_a_thousand_facts_and_two_tables_at_once(kblam: Kblam) -> None:
    many = [Triple(f"Depot {n}", "manager", f"Person {n}") for n in range(1000)]
    large, small = kblam.knowledge_base([*many, *FACTS]), kblam.knowledge_base(FACTS)
    assert "Person 417" in kblam.ask(large, "Who is the manager of Depot 417?").text
    assert kblam.ask(small, "Who is the manager of Depot 417?").refused


def test_a_letter_of_two_tokens_is_shown_whole(kblam: Kblam) -> None:
    kb = kblam.knowledge_base([Triple("Halden Workshop", "director", "Åse Олег")])
    trace = kblam.ask(kb, "Åse, who runs the Halden Workshop?", options=AskOptions(trace=True)).trace
    for tokens in (trace.question_tokens, trace.answer_tokens):
        shown = [token.strip() for token in tokens]
        assert "\ufffd" not in "".join(tokens)
        assert shown[shown.index("·") + 1] == "Å"  # the bytes before it are a dot
