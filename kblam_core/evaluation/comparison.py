"""Two systems on the same questions: who was right where, and whether that could be chance (McNemar's exact test)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import comb
from typing import Any


def paired(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of two reports -> {"n", "both", "only_first", "only_second", "neither", "p"}, over the questions that both were asked."""
    rights = [{_asked(row): bool(row["right"]) for row in rows} for rows in (first, second)]
    pairs = [(right, rights[1][asked]) for asked, right in rights[0].items() if asked in rights[1]]
    counts = {
        "both": pairs.count((True, True)),
        "only_first": pairs.count((True, False)),
        "only_second": pairs.count((False, True)),
        "neither": pairs.count((False, False)),
    }
    return {"n": len(pairs), **counts, "p": mcnemar(counts["only_first"], counts["only_second"])}


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p: how likely so uneven a split, or a more uneven one, is where both are equally good."""
    total, fewer = only_first + only_second, min(only_first, only_second)
    return min(1.0, 2 * sum(comb(total, count) for count in range(fewer + 1)) / 2**total)


def _asked(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["table"], row["question"], json.dumps(row.get("history"))
