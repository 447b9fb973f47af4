"""Several evaluation reports as one Markdown table, one line a report, so that modes and sizes stand beside each other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kblam_core.errors import InputError
from kblam_core.evaluation.comparison import paired
from kblam_core.evaluation.grid import cell, grid, percent
from kblam_core.evaluation.summary import summarise
from kblam_core.evaluation.sweep import LEGEND, sweep_table
from kblam_core.textfile import decode_text, read_bytes

Reports = Sequence[tuple[str, dict[str, Any]]]
_HEADER = (
    "mode", "facts", "questions", "accuracy", "correct", "exact", "F1", "top-1", "top-5", "refusal precision",
    "refusal recall", "false refusal", "first token p50 / p95 (ms)", "tokens/s",
)  # fmt: skip
_LEGEND = (
    "Shares with Wilson's 95 % interval. accuracy: answerable answered right plus unanswerable refused, over all. correct: the gold value "
    "stands in the answer. exact: the answer says nothing more. top-1, top-5: the right fact is first, or among five."
)
_PAIRED = (
    "Both systems on the same questions. p: McNemar's exact test, two-sided; how likely so uneven a split is where both are equally good."
)
_CALIBRATION = (
    "ECE: expected calibration error over ten bins. answerable: the stated confidence read as 'the table answers this question', over all "
    "questions; right: read as 'this answer is right', over the answers given."
)


def read_report(path: str | Path) -> dict[str, Any]:
    """A report written by `evaluate --json`, its figures counted anew from its rows where it has them. Raises InputError."""
    path = Path(path)
    text, _ = decode_text(read_bytes(path, what="report"), name=path.name)
    try:
        report = json.loads(text)
        if {"mode", "accuracy", "answer", "refusal", "speed"} <= report.keys():
            return _counted(report)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        pass
    raise InputError(f"{path.name} is not a report. Write one with: evaluate ... --json {path.name}")


def _counted(report: dict[str, Any]) -> dict[str, Any]:
    rows, mode = report.get("rows"), report["mode"]
    if not rows:
        return report
    of_table: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_table.setdefault(row["table"], []).append(row)
    tables = [table | summarise(of_table[table["name"]], mode) for table in report.get("tables", [])]
    return report | summarise(rows, mode) | {"tables": tables}


def labels(reports: Reports) -> list[str]:
    """A short name for each report: its mode; with the number of facts, then the file's name, where that is not enough."""
    ways = (
        [report["mode"] for _, report in reports],
        [f"{report['mode']}, {report['n_triples']:,}" for _, report in reports],
        [name for name, _ in reports],
    )
    return next((way for way in ways if max(Counter(way).values(), default=0) < 2), ways[-1])


def markdown(reports: Reports, *, threshold_sweep: bool = False) -> str:
    """Markdown for (name, report) pairs: one table over all, then comparisons, kinds of question, calibration, each table of facts.

    threshold_sweep: also what other refusal thresholds would have done.
    """
    parts = ["# Evaluation", "", *_head(reports), "", grid(_HEADER, [_line(report["mode"], report) for _, report in reports]), "", _LEGEND]
    parts += _comparisons(reports)
    kinds = sorted({kind for _, report in reports for kind in report.get("kinds", {})})
    if len(kinds) > 1:
        parts += ["", "## Handled right, by kind of question", ""]
        cells = [[kind, _size(reports, kind), *(_kind(report, kind) for _, report in reports)] for kind in kinds]
        parts.append(grid(("kind", "questions", *labels(reports)), cells))
    parts += _calibrations(reports)
    if threshold_sweep:
        parts += _sweeps(reports)
    tables = list(dict.fromkeys(table["name"] for _, report in reports for table in report.get("tables", [])))
    for name in tables:
        found = [(report["mode"], table) for _, report in reports for table in report.get("tables", []) if table["name"] == name]
        parts += ["", f"## {cell(name)}", "", grid(_HEADER, [_line(mode, table) for mode, table in found])]
    hindsight = [(name, report["hindsight"]) for name, report in reports if report.get("hindsight")]
    for name, best in hindsight:
        text = f"Choosing the refusal threshold after seeing the answers, the encoder alone ({cell(name)}) reaches"
        parts += ["", f"{text} {percent(best['accuracy'])}."]
    return "\n".join(parts) + "\n"


def _head(reports: Reports) -> list[str]:
    lines = []
    for key in ("backbone", "encoder", "adapter", "adapter_fingerprint", "device", "seed"):
        values = list(dict.fromkeys(str(report[key]) for _, report in reports if report.get(key) is not None))
        if values:
            lines.append(f"{key}: {cell(', '.join(values))}  ")
    return lines


def _line(mode: str, figures: dict[str, Any]) -> list[str]:
    answer, refusal, retrieval, speed = (figures[key] for key in ("answer", "refusal", "retrieval", "speed"))
    spread = figures.get("intervals") or {}
    first = speed["ttft_ms"]
    return [
        mode,
        f"{figures['n_triples']:,}",
        f"{figures['n_questions']:,}",
        percent(figures["accuracy"], spread.get("accuracy")),
        *(percent(answer[key], spread.get(key)) for key in ("correct", "exact")),
        percent(answer["f1"]),
        *(percent(retrieval[key], spread.get(key)) for key in ("top1", "top5")),
        percent(refusal["precision"], spread.get("refusal_precision")),
        percent(refusal["recall"], spread.get("refusal_recall")),
        percent(refusal["false_refusal"], spread.get("false_refusal")),
        "–" if first["p50"] is None else f"{first['p50']:,.0f} / {first['p95']:,.0f}",
        "–" if speed["tokens_per_s"] is None else f"{speed['tokens_per_s']:.1f}",
    ]


def _comparisons(reports: Reports) -> list[str]:
    """kblam (or the first report) against each other report on as many facts, question by question."""
    lines = []
    named = list(zip(labels(reports), (report for _, report in reports), strict=True))
    for facts in dict.fromkeys(report["n_triples"] for _, report in named):
        group = [(label, report) for label, report in named if report["n_triples"] == facts and report.get("rows")]
        group.sort(key=lambda pair: pair[1]["mode"] != "kblam")  # stable: kblam to the front
        for label, report in group[1:]:
            both = paired(group[0][1]["rows"], report["rows"])
            if both["n"]:
                counts = [str(both[key]) for key in ("n", "both", "only_first", "only_second", "neither")]
                lines.append([group[0][0], label, f"{facts:,}", *counts, "< 0.0001" if both["p"] < 1e-4 else f"{both['p']:.4f}"])
    if not lines:
        return []
    header = ("first", "second", "facts", "questions", "both right", "only the first", "only the second", "neither", "p")
    return ["", "## Question by question", "", grid(header, lines), "", _PAIRED]


def _calibrations(reports: Reports) -> list[str]:
    stated = [(label, report) for label, (_, report) in zip(labels(reports), reports, strict=True) if report.get("calibration")]
    if not stated:
        return []
    errors = [
        [label, f"{report['n_triples']:,}", *(_error(report["calibration"][key]["ece"]) for key in ("answerable", "right"))]
        for label, report in stated
    ]
    parts = ["", "## Calibration of the confidence", "", grid(("mode", "facts", "ECE answerable", "ECE right"), errors), "", _CALIBRATION]
    header = ("confidence", "questions", "mean", "answerable", "answers", "mean", "right")
    for label, report in stated:
        both = [{line["low"]: line for line in report["calibration"][key]["bins"]} for key in ("answerable", "right")]
        lines = []
        for low in sorted(both[0] | both[1]):
            line = [f"{low:.1f} to {low + 0.1:.1f}"]
            for bins in both:
                if found := bins.get(low):
                    line += [str(found["n"]), f"{found['confidence']:.3f}", percent(found["share"], found["interval"])]
                else:
                    line += ["0", "–", "–"]
            lines.append(line)
        parts += ["", f"### {cell(label)}", "", grid(header, lines)]
    return parts


def _sweeps(reports: Reports) -> list[str]:
    parts = []
    for label, (_, report) in zip(labels(reports), reports, strict=True):
        if table := sweep_table(report.get("rows", []), report.get("threshold", 0.0)):
            parts += ["", f"### {cell(label)}, asked with {report.get('threshold', 0.0):g}", "", table]
    return ["", "## Other thresholds", "", LEGEND, *parts] if parts else []


def _error(error: float | None) -> str:
    return "–" if error is None else f"{error:.3f}"


def _kind(report: dict[str, Any], kind: str) -> str:
    figures = report.get("kinds", {}).get(kind, {})
    return percent(figures.get("accuracy"), figures.get("interval"))


def _size(reports: Reports, kind: str) -> str:
    sizes = dict.fromkeys(str(report["kinds"][kind]["n"]) for _, report in reports if kind in report.get("kinds", {}))
    return " / ".join(sizes)
