"""Greetings and thanks are answered politely; everything that may be a question goes to the table."""

from __future__ import annotations

import pytest

from kblam_core.small_talk import polite_reply
from kblam_core.triples import Triple


@pytest.mark.parametrize(
    "message", ["hello", "Hi!", "Good morning", "hey there", "Thanks a lot!", "thank you so much", "bye", "Привет!", "你好"]
)
def test_politeness_is_answered(message):
    assert polite_reply(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "?",
        "Hello, who runs the Halden Workshop?",
        "good",
        "day",
        "Good Morning Vietnam director",
        "you",
        "What is the night rate?",
        "see all",
    ],
)
def test_a_question_is_a_question(message):
    assert polite_reply(message) is None


def test_thanks_come_before_goodbye():
    assert polite_reply("thanks, bye") == polite_reply("thank you")


def test_the_model_is_not_asked(kblam):
    base = kblam.knowledge_base([Triple("Halden Workshop", "head", "Mara Lund")])
    *pieces, answer = kblam.stream(base, "Hello!")
    assert (answer.state, answer.refused, answer.sources) == ("small_talk", False, [])
    assert "".join(pieces) == answer.text
