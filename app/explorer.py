"""What the explorer shows of one answer: its tokens, the facts and every token's shares, all from the kept trace. No gradio here."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.causal import spans
from app.session import Turn
from app.texts import say

LABELS = (
    "asked",
    "answered",
    "pick_hint",
    "rank_all",
    "rank_token",
    "token_says",
    "fact_says",
    "fact_not_kept",
    "others",
    "the_text",
    "in_answer",
    "used",
    "test_title",
    "leave_out",
    "what_if",
    "what_if_hint",
    "what_if_ask",
)


def explorer_value(number: int, turn: Turn, lang: str) -> dict[str, Any]:
    """The value of the explorer component for turn `number`, which has a trace.

    shares: per token of question and answer whole numbers in 1/10,000 of all attention, one per fact, then other facts, then the text;
    all: their mean over the answer's tokens. facts[].said: places of the answer's tokens that spell the fact's value, for used facts.
    """
    trace, answer = turn.answer.trace, turn.answer
    shares = trace.shares()  # (Tq + Ta, F + 2)
    first = len(trace.question_tokens)
    mean = shares[first:].mean(0) if trace.answer_tokens else shares.mean(0)
    used = {source.index for source in answer.sources}
    facts = []
    for fact in trace.facts:
        triple = turn.facts[fact]
        said = value_tokens(trace.answer_tokens, triple.value) if fact in used else []
        facts.append({"row": fact, "cells": [triple.entity, triple.property, triple.value], "used": fact in used, "said": said})
    labels = {key: say(lang, key) for key in LABELS}
    labels["facts"] = say(lang, "looked_at" if not used else "fact_used" if len(used) == 1 else "facts_used")
    return {
        "turn": number,
        "recorded": turn.recorded,
        "question": list(trace.question_tokens),
        "answer": list(trace.answer_tokens),
        "facts": facts,
        "shares": _whole(shares),
        "all": _whole(mean),
        "labels": labels,
    }


def value_tokens(tokens: list[str], value: str) -> list[int]:
    """Places of the tokens that spell `value`, wherever it stands in the text they make; case and spacing aside."""
    found = spans("".join(tokens), value)
    places, start = [], 0
    for place, token in enumerate(tokens):
        end = start + len(token)
        if any(start < last and first < end for first, last in found):
            places.append(place)
        start = end
    return places


def _whole(shares: np.ndarray) -> list:
    return np.rint(np.clip(shares, 0, 1) * 10_000).astype(int).tolist()
