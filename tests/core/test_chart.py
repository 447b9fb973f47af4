"""The picture of quality and speed by table size."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from kblam_core.errors import InputError
from kblam_core.evaluation.chart import PANELS, chart
from kblam_core.evaluation.runner import Case, run
from kblam_core.evaluation.sizes import resize
from tests.core.fake_kblam import FakeKblam
from tests.core.test_cli import run as command
from tests.core.test_evaluation import FACTS, QUESTIONS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def reports() -> list[tuple[str, dict]]:
    cases = [Case("t", FACTS, QUESTIONS)]
    return [
        (f"{mode}-{size}", run(FakeKblam(), resize(cases, size), mode=mode, size=size))
        for mode in ("rag", "kblam", "dense")
        for size in (10, 4, 100)
    ]


def texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_line_for_each_mode_in_each_panel(reports):
    svg = chart(reports)
    lines = list(ElementTree.fromstring(svg).iter(f"{SVG}polyline"))
    assert len(lines) == 3 * len(PANELS)
    assert all(len(line.get("points").split()) == 3 for line in lines)
    assert {"kblam", "rag", "dense", "4", "10", "100", "Accuracy", "100 %"} <= set(texts(svg))
    assert texts(svg)[0] == "kblam"  # the model first, whatever the order of the files


def test_better_is_higher_and_inside_the_picture(reports):
    report = next(report for name, report in reports if name == "kblam-10")
    worse = report | {"mode": "worse", "accuracy": 0.1}
    root = ElementTree.fromstring(chart([("a", report), ("b", worse)]))
    groups = list(root.iter(f"{SVG}g"))[2:4]  # after the legend: the first panel, kblam drawn last
    heights = [
        float(group.find(f"{SVG}rect").get("y")) if n == 0 else float(group.find(f"{SVG}circle").get("cy"))
        for n, group in enumerate(groups)
    ]
    assert 0 < heights[1] < heights[0] < 676


def test_reports_of_one_place_are_refused(reports):
    with pytest.raises(InputError, match="kblam-10 and again both hold kblam on 10 facts"):
        chart([*reports, ("again", reports[3][1])])
    many = [(str(number), reports[0][1] | {"mode": f"mode {number}"}) for number in range(9)]
    with pytest.raises(InputError, match="at most 8 modes"):
        chart(many)


def test_one_size_alone_and_names_are_escaped(reports):
    svg = chart([("a", reports[0][1] | {"mode": "<b>&"})])
    assert "<b>" not in svg and "<b>&" in texts(svg)


def test_a_report_where_nothing_was_answerable(reports):
    report = run(FakeKblam(), [Case("t", FACTS, QUESTIONS[3:])])
    assert report["refusal"]["false_refusal"] is None
    ElementTree.fromstring(chart([("a", report)]))


def test_both_light_and_dark(reports):
    svg = chart(reports)
    assert "prefers-color-scheme:dark" in svg and len(svg) < 40_000


def test_the_command_writes_it(capsys, tmp_path, reports):
    for name, report in reports[:4]:
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    files = sorted(tmp_path.glob("*.json"))
    code, out, err = command(capsys, "report", *files, "--chart", tmp_path / "sizes.svg")
    assert code == 0 and out.startswith("# Evaluation") and "chart in" in err
    ElementTree.parse(tmp_path / "sizes.svg")
    code, out, _ = command(capsys, "report", *files, "--out", tmp_path / "r.md", "--chart", tmp_path / "sizes.svg")
    assert code == 0 and out.count("\n") == 2
    code, _, err = command(capsys, "report", *files, "--chart", tmp_path)
    assert code == 2 and "The chart is to be written to" in err
