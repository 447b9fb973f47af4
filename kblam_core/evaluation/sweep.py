"""What another refusal threshold would have done, from the confidences and answers that a report keeps, without asking again.

A question answered at the report's own threshold would be refused at any threshold above its confidence. One refused there was never
answered: below the report's threshold, where it would be, whether the answer is right is not known. Evaluate with `--threshold 0.05` to
know it everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kblam_core.evaluation.grid import grid, percent
from kblam_core.evaluation.metrics import ratio, wilson

THRESHOLDS = tuple(step / 20 for step in range(1, 20))
_HEADER = ("threshold", "false refusal", "wrong answers", "refusal recall", "refusal precision", "accuracy")
_NAMES = ("false_refusal", "wrong_answers", "refusal_recall", "refusal_precision", "accuracy")
LEGEND = (
    "false refusal: of the answerable questions. wrong answers: of the answers given, those to unanswerable questions among them. "
    "– where answers would be needed that were refused when the questions were asked; evaluate with --threshold 0.05 for all lines."
)


def sweep(rows: Sequence[dict[str, Any]], asked_at: float = 0.0) -> list[dict[str, Any]]:
    """One dict a threshold; each share is (share, interval). asked_at: the threshold that the rows were asked with."""
    rows = [row for row in rows if row.get("confidence") is not None]
    return [_at(rows, threshold, asked_at) for threshold in THRESHOLDS] if rows else []


def sweep_table(rows: Sequence[dict[str, Any]], asked_at: float = 0.0) -> str:
    """The same as a Markdown table; "" where no row states a confidence."""
    lines = [[f"{line['threshold']:.2f}", *(percent(*line[name]) for name in _NAMES)] for line in sweep(rows, asked_at)]
    return grid(_HEADER, lines) if lines else ""


def _at(rows: Sequence[dict[str, Any]], threshold: float, asked_at: float) -> dict[str, Any]:
    answered, refused, unknown = [], [], False
    for row in rows:
        for_certain = row["refused"] and row["confidence"] >= asked_at  # refused in spite of its confidence
        if row["confidence"] < threshold or for_certain:
            refused.append(row)
        else:
            answered.append(row)
            unknown = unknown or row["refused"]
    rightly = sum(row["gold"] is None for row in refused)
    absent = sum(row["gold"] is None for row in rows)
    right = sum(row["gold"] is not None and bool(row["correct"]) for row in answered)
    nothing: tuple[None, None] = (None, None)
    return {
        "threshold": threshold,
        "false_refusal": _share(len(refused) - rightly, len(rows) - absent),
        "wrong_answers": nothing if unknown else _share(len(answered) - right, len(answered)),
        "refusal_recall": _share(rightly, absent),
        "refusal_precision": _share(rightly, len(refused)),
        "accuracy": nothing if unknown else _share(right + rightly, len(rows)),
    }


def _share(part: int, whole: int) -> tuple[float | None, list[float] | None]:
    return ratio(part, whole), wilson(part, whole)
