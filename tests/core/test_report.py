"""What a report says beyond plain shares: intervals, comparison on the same questions, calibration."""

from __future__ import annotations

import json

import pytest
from scipy.stats import binomtest

from kblam_core.errors import InputError
from kblam_core.evaluation.calibration import calibration, reliability
from kblam_core.evaluation.comparison import mcnemar, paired
from kblam_core.evaluation.report import labels, markdown, read_report
from kblam_core.evaluation.runner import Case, run
from tests.core.fake_kblam import FakeKblam
from tests.core.test_evaluation import FACTS, QUESTIONS


def reports(tmp_path, *modes: str, facts=FACTS):
    made = []
    for mode in modes:
        path = tmp_path / f"{mode}.json"
        path.write_text(json.dumps(run(FakeKblam(), [Case("t", facts, QUESTIONS)], mode=mode)))
        made.append((mode, read_report(path)))
    return made


def test_reliability_by_hand():
    figures = reliability([(0.05, False), (0.08, True), (0.95, True), (1.0, True)])
    assert [(line["low"], line["n"], line["share"]) for line in figures["bins"]] == [(0.0, 2, 0.5), (0.9, 2, 1.0)]
    assert figures["bins"][0]["confidence"] == 0.065
    assert figures["ece"] == pytest.approx((abs(0.13 - 1) + abs(1.95 - 2)) / 4, abs=1e-4)
    assert reliability([]) == {"n": 0, "ece": None, "bins": []}


def test_the_two_readings_of_the_confidence_differ():
    wrong = {"confidence": 0.9, "gold": "x", "refused": False, "right": False}
    refused = {"confidence": 0.0, "gold": None, "refused": True, "right": True}
    figures = calibration([wrong, refused])
    assert (figures["answerable"]["n"], figures["right"]["n"]) == (2, 1)
    assert figures["right"]["ece"] == 0.9 and figures["answerable"]["ece"] == 0.05
    assert calibration([wrong | {"confidence": None}]) is None


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (5, 0), (3, 3), (31, 9), (2, 14)])
def test_mcnemar_is_the_binomial_test(only_first, only_second):
    expected = binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


def test_only_questions_asked_in_both_are_compared():
    first = [{"table": "t", "question": q, "right": right} for q, right in (("a", True), ("b", True), ("c", False))]
    second = [{"table": "t", "question": q, "right": right} for q, right in (("b", False), ("c", False), ("d", True))]
    assert paired(first, second) == {"n": 2, "both": 0, "only_first": 1, "only_second": 0, "neither": 1, "p": 1.0}


def test_every_share_has_its_interval_and_every_row_a_confidence():
    for mode in ("kblam", "dense"):
        report = run(FakeKblam(), [Case("t", FACTS, QUESTIONS)], mode=mode)
        shares = {"accuracy", "correct", "exact", "top1", "top5", "refusal_precision", "refusal_recall", "false_refusal"}
        assert shares == report["intervals"].keys()
        assert all("confidence" in row for row in report["rows"])
    assert report["calibration"] is None


def test_markdown_compares_and_calibrates(tmp_path):
    text = markdown(reports(tmp_path, "dense", "kblam", "rag"))
    assert "| kblam | dense | 4 | 5 | 3 | 2 | 0 | 0 | 0.5000 |" in text
    assert "| kblam | rag |" in text and "| dense | rag |" not in text
    assert "100.0 % (56.5–100.0)" in text
    assert "## Calibration of the confidence" in text and "### kblam" in text and "### rag" not in text
    assert "| 0.9 to 1.0 | 3 | 0.900 | 100.0 % (43.9–100.0) | 3 | 0.900 | 100.0 % (43.9–100.0) |" in text


def test_reports_of_several_sizes_are_told_apart(tmp_path):
    first = reports(tmp_path, "kblam")[0][1]
    larger = first | {"n_triples": 1000}
    assert labels([("a", first), ("b", larger)]) == ["kblam, 4", "kblam, 1,000"]
    assert labels([("a", first), ("b", first)]) == ["a", "b"]
    assert "Question by question" not in markdown([("a", first), ("b", larger)])


def test_a_report_without_rows_is_still_shown(tmp_path):
    report = reports(tmp_path, "kblam")[0][1]
    for key in ("rows", "calibration", "intervals"):
        del report[key]
    (tmp_path / "old.json").write_text(json.dumps(report))
    assert "| kblam | 4 | 5 | 100.0 % |" in markdown([("old", read_report(tmp_path / "old.json"))])


def test_damaged_rows_are_said(tmp_path):
    report = reports(tmp_path, "kblam")[0][1]
    (tmp_path / "bad.json").write_text(json.dumps(report | {"rows": [{"table": "t"}]}))
    with pytest.raises(InputError, match=r"bad\.json is not a report"):
        read_report(tmp_path / "bad.json")
