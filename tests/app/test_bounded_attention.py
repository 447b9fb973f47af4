"""Attention kept in memory is bounded: facts an answer and answers a visitor, however large the table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.session import KEPT_TRACES, Session
from kblam_core import Answer, Timing, Trace
from kblam_core.trace import KEPT_FACTS, TraceRecorder

TABLE, LAYERS, HEADS, WORDS = 10_000, [12, 15], 3, 4
KEPT = (len(LAYERS), HEADS, WORDS + 1, KEPT_FACTS + 2)  # the last two columns: other facts, and the text


def recorded() -> Trace:
    """The trace of an answer on all facts of the table, without a shortlist."""
    recorder = TraceRecorder(LAYERS, HEADS, np.arange(TABLE))
    weights = np.random.default_rng(0).random((len(LAYERS), HEADS, WORDS + 1, TABLE), dtype=np.float32)
    weights[..., 7_777] *= 500  # one fact stands out
    weights /= 2 * weights.sum(-1, keepdims=True)  # the other half goes to the text
    recorder.question([" word"] * WORDS, weights[:, :, :WORDS])
    recorder.answer(" one", weights[:, :, WORDS])
    return recorder.finish()


def test_ten_thousand_facts_leave_fifty_and_a_sum_of_the_others():
    trace = recorded()
    assert len(trace.facts) == KEPT_FACTS == 50 and trace.facts[0] == 7_777
    assert trace.weights.shape == KEPT and trace.weights.dtype == np.float16
    assert np.allclose(trace.shares().sum(-1), 1, atol=5e-3)  # nothing is lost: the rest stands in two columns


def test_only_the_last_six_answers_keep_theirs():
    session, trace = Session(), recorded()
    for number in range(20):
        turn = session.begin(f"question {number}")
        own = replace(trace, weights=trace.weights.copy())
        session.finish(turn, Answer("one", False, "answered", 0.5, 0.9, [], [], Timing(1.0, 1.0, 1), own))
    kept = [turn.answer.trace for turn in session.turns if turn.answer.trace is not None]
    assert len(kept) == KEPT_TRACES == 6 and len(session.answered()) == 20
    assert sum(one.weights.nbytes for one in kept) == KEPT_TRACES * 2 * int(np.prod(KEPT))
