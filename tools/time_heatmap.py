"""Times what the server does when a visitor switches layer or head: reduce the kept trace, draw the heatmap, write it as JSON.

`python -m tools.time_heatmap` prints the median for 60 tokens x 50 facts. Needs no model: torch is not even imported.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from app.handlers.attention import draw
from app.session import Session, Turn
from kblam_core import Answer, Timing, Trace, Triple

LAYERS = (12, 15, 18, 21, 24, 27)  # as the shipped adapter's
HEADS = 9


def session_with_answer(tokens: int, facts: int) -> Session:
    """A session whose one answer has a made-up trace of `tokens` answer tokens and `facts` facts."""
    weights = np.random.default_rng(0).random((len(LAYERS), HEADS, tokens + 1, facts + 2), dtype=np.float32)
    weights /= weights.sum(-1, keepdims=True)
    words = [f" word{number}" for number in range(tokens)]
    trace = Trace(["?"], words, list(LAYERS), HEADS, list(range(facts)), weights.astype(np.float16))
    answer = Answer("".join(words), False, "answered", 0.7, 0.9, [], [], Timing(1.0, 1.0, tokens), trace)
    table = [Triple(f"Entity number {number}", "property", f"value {number}") for number in range(facts)]
    return Session(turns=[Turn("?", state="answered", text=answer.text, answer=answer, facts=table)])


def times(tokens: int = 60, facts: int = 50, repeats: int = 7) -> list[tuple[float, float]]:
    """(wall, processor) milliseconds of each of `repeats` switches of layer and head, after one to warm up.

    Processor time is what the work costs; wall time grows when other programs hold the machine.
    """
    session, spent = session_with_answer(tokens, facts), []
    for number in range(repeats + 1):
        layer, head = LAYERS[number % len(LAYERS)], number % HEADS
        start, worked = time.perf_counter(), time.process_time()
        _, _, figure, _, _ = draw(session, 1, "answer", str(layer), str(head), facts)
        figure.to_json()
        spent.append((1000 * (time.perf_counter() - start), 1000 * (time.process_time() - worked)))
    return spent[1:]


if __name__ == "__main__":
    measured = times()
    if "torch" in sys.modules:
        sys.exit("torch was imported: drawing a heatmap should need no model.")
    wall, worked = (statistics.median(column) for column in zip(*measured, strict=True))
    print(f"60 tokens x 50 facts, median of {len(measured)}: {wall:.0f} ms, of them {worked:.0f} ms of processor; no model")
