"""Other thresholds from the rows of one report."""

from __future__ import annotations

from kblam_core.evaluation.report import markdown
from kblam_core.evaluation.runner import Case, run
from kblam_core.evaluation.sweep import sweep, sweep_table
from tests.core.fake_kblam import FakeKblam
from tests.core.test_evaluation import FACTS, QUESTIONS

ROWS = [
    {"gold": "x", "confidence": 0.9, "refused": False, "correct": True},
    {"gold": "x", "confidence": 0.6, "refused": False, "correct": False},
    {"gold": "x", "confidence": 0.17, "refused": True, "correct": False},
    {"gold": None, "confidence": 0.4, "refused": False, "correct": None},
    {"gold": None, "confidence": 0.01, "refused": True, "correct": None},
]


def at(threshold: float, rows=ROWS, asked_at: float = 0.2) -> dict:
    return next(line for line in sweep(rows, asked_at) if line["threshold"] == threshold)


def test_shares_by_hand():
    line = at(0.2)
    assert [line[name][0] for name in ("false_refusal", "wrong_answers", "refusal_recall", "refusal_precision", "accuracy")] == [
        *(0.3333, 0.6667, 0.5, 0.5, 0.4),
    ]
    line = at(0.5)
    assert (line["false_refusal"][0], line["wrong_answers"][0], line["refusal_recall"][0]) == (0.3333, 0.5, 1.0)
    assert at(0.95)["wrong_answers"] == (None, None)  # nothing is answered


def test_below_the_asked_threshold_answers_are_not_invented():
    line = at(0.05)
    assert line["false_refusal"][0] == 0.0 and line["refusal_recall"][0] == 0.5
    assert line["wrong_answers"][0] is None and line["accuracy"][0] is None


def test_a_refusal_in_spite_of_confidence_stays_one():
    rows = [{"gold": "x", "confidence": 0.8, "refused": True, "correct": False}]
    assert at(0.05, rows)["false_refusal"][0] == 1.0


def test_more_refusals_with_a_higher_threshold():
    lines = sweep(ROWS)
    assert len(lines) == 19
    for name in ("false_refusal", "refusal_recall"):
        shares = [line[name][0] for line in lines]
        assert shares == sorted(shares)


def test_nothing_to_sweep_without_confidence():
    assert sweep_table([{**ROWS[0], "confidence": None}]) == ""


def test_the_sweep_at_the_asked_threshold_is_the_report():
    report = run(FakeKblam(), [Case("t", FACTS, QUESTIONS)], about={"threshold": 0.2})
    assert at(0.2, report["rows"])["accuracy"][0] == report["accuracy"]
    text = markdown([("kblam", report)], threshold_sweep=True)
    assert "### kblam, asked with 0.2" in text and "| 0.20 | 0.0 % (0.0–56.1) |" in text
    assert "Other thresholds" not in markdown([("kblam", report)])
