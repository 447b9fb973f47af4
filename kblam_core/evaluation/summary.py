"""The figures of a list of judged rows: retrieval, answers, refusals, accuracy, each with 95 % intervals; calibration; speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kblam_core.evaluation.calibration import calibration
from kblam_core.evaluation.metrics import percentile, ratio, wilson

Row = dict[str, Any]


def summarise(rows: Sequence[Row], mode: str) -> dict[str, Any]:
    """Figures over `rows` (runner.py makes them). Shares are None where there is nothing to divide by.

    accuracy: answerable answered right plus unanswerable refused, over all. refusal.recall: of the unanswerable; false_refusal: of the
    answerable. retrieval counts answerable questions; None for modes that retrieve nothing. tokens_per_s is measured after the
    first token. intervals: Wilson's 95 % for every share. calibration: see calibration.py; None where no confidence is stated.
    """
    answerable = [row for row in rows if row["gold"] is not None]
    unanswerable = [row for row in rows if row["gold"] is None]
    refused = sum(row["refused"] for row in rows)
    rightly = sum(row["refused"] for row in unanswerable)
    figures: dict[str, Any] = {
        "retrieval": {"top1": None, "top5": None},
        "answer": {
            "correct": ratio(sum(row["correct"] for row in answerable), len(answerable)),
            "exact": ratio(sum(row["exact"] for row in answerable), len(answerable)),
            "f1": ratio(sum(row["f1"] for row in answerable), len(answerable)),
        },
        "refusal": {
            "precision": ratio(rightly, refused),
            "recall": ratio(rightly, len(unanswerable)),
            "false_refusal": ratio(refused - rightly, len(answerable)),
        },
        "accuracy": ratio(sum(row["right"] for row in rows), len(rows)),
        "n_answerable": len(answerable),
        "n_unanswerable": len(unanswerable),
    }
    figures["intervals"] = {
        "accuracy": wilson(sum(row["right"] for row in rows), len(rows)),
        "correct": wilson(sum(row["correct"] for row in answerable), len(answerable)),
        "exact": wilson(sum(row["exact"] for row in answerable), len(answerable)),
        "refusal_precision": wilson(rightly, refused),
        "refusal_recall": wilson(rightly, len(unanswerable)),
        "false_refusal": wilson(refused - rightly, len(answerable)),
    }
    if any(row["retrieved"] for row in rows):
        for depth in (1, 5):
            found = sum((row["rank"] or depth + 1) <= depth for row in answerable)
            figures["retrieval"][f"top{depth}"] = ratio(found, len(answerable))
            figures["intervals"][f"top{depth}"] = wilson(found, len(answerable))
    figures["calibration"] = calibration(rows)
    figures["kinds"] = {kind: _kind(group) for kind, group in _groups(rows, lambda row: _kind_of(row)).items()}
    if mode == "dense":
        figures["hindsight"] = _hindsight(rows)
    figures["speed"] = _speed(rows)
    return figures


def _kind_of(row: Row) -> str:
    return row["kind"] or ("answerable" if row["gold"] is not None else "unanswerable")


def _groups(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return dict(sorted(groups.items()))


def _kind(rows: Sequence[Row]) -> dict[str, Any]:
    right = sum(row["right"] for row in rows)
    refused = ratio(sum(row["refused"] for row in rows), len(rows))
    return {
        "n": len(rows),
        "accuracy": ratio(right, len(rows)),
        "interval": wilson(right, len(rows)),
        "refused": refused,
    }


def _hindsight(rows: Sequence[Row]) -> dict[str, float | None]:
    """The best accuracy the encoder alone could reach, refusing below one similarity chosen after seeing the gold answers."""
    ordered = sorted(rows, key=lambda row: row["similarity"])
    right = sum(bool(row["correct"]) for row in ordered)  # nothing refused
    best, threshold = right, -1.0
    for place, row in enumerate(ordered):
        right += 1 if row["gold"] is None else -int(row["correct"])
        same = place + 1 < len(ordered) and ordered[place + 1]["similarity"] == row["similarity"]
        if right > best and not same:
            best, threshold = right, row["similarity"]
    return {"accuracy": ratio(best, len(rows)), "similarity": threshold}


def _speed(rows: Sequence[Row]) -> dict[str, Any]:
    first = [row["ttft_ms"] for row in rows]
    later = [(row["tokens"] - 1, row["total_ms"] - row["ttft_ms"]) for row in rows if row["tokens"] > 1]
    tokens, spent = sum(count for count, _ in later), sum(ms for _, ms in later)
    return {
        "ttft_ms": {"p50": percentile(first, 50), "p95": percentile(first, 95)},
        "tokens_per_s": round(tokens / spent * 1000, 2) if spent > 0 else None,
    }
