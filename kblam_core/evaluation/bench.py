"""Speed by size: time to first token and tokens a second with KBLaM beside retrieve-then-prompt (its shorter prompt), and the
time of one edit."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from kblam_core.evaluation.baselines import rag_plain
from kblam_core.triples import Triple

_WARM_UP = "What is the length of the warm-up?"
SIZES = (10, 100, 500, 1_000, 10_000)
_PLACES = ("Halden", "Corvin", "Marrow", "Tessel", "Ostra", "Linden", "Quill", "Brae", "Sorrel", "Vantor")
_THINGS = (
    "Workshop",
    "Library",
    "Mill",
    "Harbour",
    "Clinic",
    "Orchard",
    "Foundry",
    "Museum",
    "School",
    "Ferry",
)
_PROPERTIES = (
    "director",
    "opening year",
    "address",
    "phone number",
    "founder",
    "budget",
    "colour",
    "area",
    "motto",
    "code",
)


def made_up(count: int) -> list[Triple]:
    """`count` different triples, the same on every call."""
    triples = []
    for number in range(count):
        place, thing = _PLACES[number // 10 % 10], _THINGS[number // 100 % 10]
        part = f" {number // 1000 + 1}" if number >= 1000 else ""
        triples.append(Triple(f"{place} {thing}{part}", _PROPERTIES[number % 10], f"value {number * 7919 % 99991}"))
    return triples


def bench(
    kblam: Any,
    *,
    sizes: Sequence[int] = SIZES,
    questions: int = 5,
    with_rag: bool = True,
    report: Callable[[str], None] = lambda message: None,
) -> list[dict[str, Any]]:
    """One dict per size: facts, encode_s, edit_ms, and per system its median ttft_ms and tokens_per_s."""
    results = []
    for size in sizes:
        triples = made_up(size)
        report(f"{size:,} facts: encoding")
        start = time.perf_counter()
        base = kblam.knowledge_base(triples)
        line: dict[str, Any] = {"facts": size, "encode_s": round(time.perf_counter() - start, 2)}
        asked = [triples[(number * 37 + 3) % size] for number in range(questions)]
        texts = [f"What is the {triple.property} of {triple.entity}?" for triple in asked]
        again = [f"Tell me the {triple.property} of {triple.entity}." for triple in asked]  # the encoder remembers texts
        report(f"{size:,} facts: asking")
        kblam.ask(base, _WARM_UP)
        line["kblam"] = _speed([kblam.ask(base, text).timing for text in texts])
        if with_rag:
            ask = rag_plain(kblam, triples)
            report(f"{size:,} facts: asking rag")
            ask(_WARM_UP)
            line["rag"] = _speed([ask(text) for text in again])
        line["edit_ms"] = _edit_ms(kblam, base, triples)
        results.append(line)
    return results


def _edit_ms(kblam: Any, base: Any, triples: list[Triple]) -> float:
    """Median time of `base.update` with one changed value."""
    spent = []
    for number in range(3):
        changed = list(triples)
        middle = changed[len(changed) // 2]
        changed[len(changed) // 2] = Triple(middle.entity, middle.property, f"edited {number}")
        start = time.perf_counter()
        base.update(changed)
        spent.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(spent), 2)


def _speed(timings: Sequence[Any]) -> dict[str, float | None]:
    """timings: anything with ttft_ms, total_ms and tokens."""
    later = [(timing.tokens - 1, timing.total_ms - timing.ttft_ms) for timing in timings if timing.tokens > 1]
    tokens, spent = sum(count for count, _ in later), sum(ms for _, ms in later)
    first = statistics.median(timing.ttft_ms for timing in timings)
    return {
        "ttft_ms": round(first, 1),
        "tokens_per_s": round(tokens / spent * 1000, 1) if spent > 0 else None,
    }
