"""Several evaluation reports as one Markdown table, one line a report, so that modes stand beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kblam_core.errors import InputError
from kblam_core.textfile import decode_text, read_bytes

_HEADER = (
    "mode", "facts", "questions", "accuracy (95 %)", "correct", "exact", "F1", "top-1", "top-5", "refusal precision",
    "refusal recall", "false refusal", "first token p50 / p95 (ms)", "tokens/s",
)  # fmt: skip
_LEGEND = (
    "accuracy: answerable answered right plus unanswerable refused, over all, with Wilson's 95 % interval. correct: the gold value "
    "stands in the answer. exact: the answer says nothing more. top-1, top-5: the right fact is first, or among five."
)


def read_report(path: str | Path) -> dict[str, Any]:
    """A report written by `evaluate --json`. Raises InputError."""
    path = Path(path)
    text, _ = decode_text(read_bytes(path, what="report"), name=path.name)
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or not {"mode", "accuracy", "answer", "refusal", "speed"} <= report.keys():
        raise InputError(f"{path.name} is not a report. Write one with: evaluate ... --json {path.name}")
    return report


def markdown(reports: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """Markdown for (name, report) pairs: one table over all, then one per kind of question and one per table of facts."""
    parts = [
        "# Evaluation",
        "",
        *_head(reports),
        "",
        _grid(_HEADER, [_line(report["mode"], report) for _, report in reports]),
    ]
    parts += ["", _LEGEND]
    kinds = sorted({kind for _, report in reports for kind in report.get("kinds", {})})
    if len(kinds) > 1:
        parts += ["", "## Handled right, by kind of question", ""]
        cells = [[kind, _size(reports, kind), *(_kind(report, kind) for _, report in reports)] for kind in kinds]
        parts.append(_grid(("kind", "questions", *(report["mode"] for _, report in reports)), cells))
    tables = list(dict.fromkeys(table["name"] for _, report in reports for table in report.get("tables", [])))
    for name in tables:
        found = [(report["mode"], table) for _, report in reports for table in report.get("tables", []) if table["name"] == name]
        parts += ["", f"## {_cell(name)}", "", _grid(_HEADER, [_line(mode, table) for mode, table in found])]
    hindsight = [(name, report["hindsight"]) for name, report in reports if report.get("hindsight")]
    for name, best in hindsight:
        text = f"Choosing the refusal threshold after seeing the answers, the encoder alone ({_cell(name)}) reaches"
        parts += ["", f"{text} {_percent(best['accuracy'])}."]
    return "\n".join(parts) + "\n"


def _head(reports: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = []
    for key in ("backbone", "encoder", "adapter", "device", "seed"):
        values = list(dict.fromkeys(str(report[key]) for _, report in reports if report.get(key) is not None))
        if values:
            lines.append(f"{key}: {_cell(', '.join(values))}  ")
    return lines


def _line(mode: str, figures: dict[str, Any]) -> list[str]:
    answer, refusal, retrieval, speed = (figures[key] for key in ("answer", "refusal", "retrieval", "speed"))
    interval = (figures.get("intervals") or {}).get("accuracy")
    spread = f" ({_percent(interval[0])} to {_percent(interval[1])})" if interval else ""
    first = speed["ttft_ms"]
    return [
        mode,
        f"{figures['n_triples']:,}",
        f"{figures['n_questions']:,}",
        _percent(figures["accuracy"]) + spread,
        *(_percent(answer[key]) for key in ("correct", "exact", "f1")),
        *(_percent(retrieval[key]) for key in ("top1", "top5")),
        *(_percent(refusal[key]) for key in ("precision", "recall", "false_refusal")),
        "–" if first["p50"] is None else f"{first['p50']:,.0f} / {first['p95']:,.0f}",
        "–" if speed["tokens_per_s"] is None else f"{speed['tokens_per_s']:.1f}",
    ]


def _kind(report: dict[str, Any], kind: str) -> str:
    return _percent(report.get("kinds", {}).get(kind, {}).get("accuracy"))


def _size(reports: Sequence[tuple[str, dict[str, Any]]], kind: str) -> str:
    sizes = dict.fromkeys(str(report["kinds"][kind]["n"]) for _, report in reports if kind in report.get("kinds", {}))
    return " / ".join(sizes)


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"
