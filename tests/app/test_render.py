"""What stands in a bubble: states differ visibly, and nothing typed is ever read as markup."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.render import LOW_MASS, bubble, literal, messages, percent
from app.session import Session, Turn
from kblam_core import Answer, Source, Timing

NASTY = [
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "${1+1}",
    "{{x}}",
    "`code` **bold** _i_ # h",
    "a|b",
    "$$x$$",
    "&lt;",
    "[a](b)",
]
SOURCE = Source(0, "Halden Workshop", "director", "Ingrid Solvang", 0.83)


def turn_with(state: str, text: str = "Words.", sources=(SOURCE,), mass: float = 0.6) -> Turn:
    answer = Answer(text, state == "refused", state, mass, 0.9, list(sources), [SOURCE], Timing(210.0, 900.0, 12), None)
    return Turn("Who?", state, text, answer)


class Text(HTMLParser):
    """The text of a piece of HTML, and its tags."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.tags = "", []
        self.feed(markup)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)


@pytest.mark.parametrize("text", NASTY)
def test_typed_text_shows_literally(text: str):
    escaped = literal(text)
    assert html.unescape(escaped) == text
    for sign in "<>`*_{}$|[]":
        assert sign not in escaped


@given(st.text())
def test_no_text_makes_a_tag_or_a_template(text: str):
    escaped = literal(text)
    assert set(Text(escaped).tags) <= {"br"}
    assert "{" not in escaped and "$" not in escaped


def test_an_answer_names_its_fact_and_share():
    shown = Text(bubble(turn_with("answered"), "en")).text
    for piece in (
        "Words.",
        "Fact used",
        "Halden Workshop",
        "director",
        "Ingrid Solvang",
        "83%",
        "60%",
        "210 ms",
    ):
        assert piece in shown


def test_each_state_looks_different():
    states = ("answered", "refused", "empty_table", "error", "stopped", "waiting", "streaming", "loading")
    assert len({bubble(turn_with(state), "en") for state in states}) == len(states)


def test_a_greeting_is_answered_without_facts_or_warnings():
    turn = turn_with("small_talk", sources=(), mass=0.0)
    assert Text(bubble(turn, "en")).text.strip() == turn.text.strip()


def test_a_refusal_shows_the_nearest_facts_without_shares():
    shown = Text(bubble(turn_with("refused", sources=()), "en")).text
    assert "Not in the table" in shown and "Ingrid Solvang" in shown and "83%" not in shown


def test_a_low_table_share_is_pointed_out():
    assert "check this answer" in Text(bubble(turn_with("answered", mass=0.001), "en")).text


@pytest.mark.parametrize("sources", [(SOURCE,), ()])
def test_a_low_table_share_is_a_state_with_reason_nearest_facts_and_what_to_do(sources):
    low, usual = (bubble(turn_with("answered", sources=sources, mass=mass), "en") for mass in (LOW_MASS / 2, LOW_MASS))
    shown = Text(low).text
    assert "kb-turn kb-low" in low and "kb-badge-low" in low and "kb-low" not in usual
    for piece in ("Words.", "Hardly from the table", "from memory", "Nearest facts", "Ingrid Solvang", "add the missing fact"):
        assert piece in shown
    assert "Fact used" not in shown and "83%" not in shown


def test_only_an_answer_can_have_a_low_share():
    for state in ("refused", "empty_table", "small_talk"):
        assert "kb-low" not in bubble(turn_with(state, mass=0.0), "en")


def test_an_answer_without_a_source_is_pointed_out():
    assert "do not rely" in Text(bubble(turn_with("answered", sources=()), "en")).text


def test_messages_come_in_pairs_in_both_languages():
    session = Session(turns=[turn_with("answered"), turn_with("refused")])
    assert [message["role"] for message in messages(session)] == ["user", "assistant"] * 2
    session.lang = "ru"
    assert "Использован факт" in Text(messages(session)[1]["content"]).text


def test_percent_never_says_zero_for_something():
    assert html.unescape(percent(0.004)) == "<1%"
    assert html.unescape(percent(1.2)) == "100%"
