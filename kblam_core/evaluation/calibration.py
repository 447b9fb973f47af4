"""How far the stated confidence can be trusted: reliability by ten bins, and the expected calibration error.

Two readings of the same number: "the table answers this question", over all questions, and "this answer is right", over the answers that
were given. A system is calibrated when of the questions asked with confidence 0.8 eight in ten are so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kblam_core.evaluation.metrics import wilson

BINS = 10


def calibration(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """{"answerable": ..., "right": ...}, each as `reliability` gives it; None where no row states a confidence."""
    rows = [row for row in rows if row.get("confidence") is not None]
    if not rows:
        return None
    given = [row for row in rows if not row["refused"]]
    return {
        "answerable": reliability([(row["confidence"], row["gold"] is not None) for row in rows]),
        "right": reliability([(row["confidence"], row["right"]) for row in given]),
    }


def reliability(stated: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """(confidence, whether it was so) pairs -> {"n", "ece", "bins"}; ece is None for no pairs, bins without pairs are left out.

    A bin: low, high, n, confidence (mean), share (that was so), interval (95 %).
    """
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, so in stated:
        groups.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, so))
    bins, error = [], 0.0
    for number, group in sorted(groups.items()):
        mean, hits = sum(confidence for confidence, _ in group) / len(group), sum(so for _, so in group)
        error += abs(mean * len(group) - hits)
        line = {"low": number / BINS, "high": (number + 1) / BINS, "n": len(group), "confidence": round(mean, 4)}
        bins.append(line | {"share": round(hits / len(group), 4), "interval": wilson(hits, len(group))})
    return {"n": len(stated), "ece": round(error / len(stated), 4) if stated else None, "bins": bins}
