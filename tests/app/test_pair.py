"""Two answers side by side: what was edited between them, what the pair shows, and the map of the difference."""

from __future__ import annotations

import html

import pytest

from app.handlers import chat, pair
from app.pair import Edit, suggested, table_edits
from app.session import KEPT_TRACES
from kblam_core import Triple

DIRECTOR = "Who is the director of the Halden Workshop?"
PRICE = "What is the price of the Corvin Lathe?"


def ask(session, host, *questions: str, mode: str = "kblam") -> None:
    for question in questions:
        chat.accept(session, {}, question)
        list(chat.stream(session, host, mode, 0.2))


def edit(session, value: str) -> None:
    row = session.draft.rows[0]
    session.draft.edit({row.id: ("Halden Workshop", "director", value)})


def shown(session, first: int, second: int) -> str:
    return html.unescape(pair.show(session, first, second)[0])


def test_one_answer_is_no_pair_and_two_are_shown_at_once(session, host):
    hint, row, *_ = pair.latest(session)
    assert "Ask twice" in hint and not row.visible
    ask(session, host, DIRECTOR, DIRECTOR)
    hint, row, first, second, result, plot = pair.latest(session)
    assert hint == "" and row.visible and (first.value, second.value) == (1, 2) and plot.visible and plot.value
    assert "Both answers say the same" in html.unescape(result)


def test_an_edit_is_told_with_the_answer_that_follows_it(session, host):
    ask(session, host, DIRECTOR)
    edit(session, "Priya <Raman>")
    ask(session, host, DIRECTOR)
    text = shown(session, 1, 2)
    assert "Halden Workshop · director: Ingrid Solvang → Priya <Raman>" in text and "follows the edit" in text
    assert "1. Who is" in text and "2. Who is" in text and "<Raman>" not in pair.show(session, 1, 2)[0]
    assert "Priya <Raman> → Ingrid Solvang" in shown(session, 2, 1)  # in the order chosen


def test_an_edit_elsewhere_leaves_the_answer(session, host):
    ask(session, host, PRICE)
    edit(session, "Priya Raman")
    ask(session, host, PRICE)
    assert "stays the same after the edit" in shown(session, 1, 2)


def test_two_questions_stand_side_by_side_without_a_map(session, host):
    ask(session, host, DIRECTOR, PRICE)
    text, plot = pair.show(session, 1, 2)
    assert not plot.visible
    text = html.unescape(text)
    assert "Ingrid Solvang" in text and "2,480 euros" in text and "two different questions" in text and "kb-verdict" not in text


def test_the_newest_is_compared_with_the_last_one_to_the_same_question(session, host):
    ask(session, host, DIRECTOR, PRICE, DIRECTOR.upper())
    assert suggested(session) == (1, 3)
    ask(session, host, "Who is the director of Laurel House?")
    assert suggested(session) == (3, 4)


def test_other_settings_are_named(session, host):
    ask(session, host, DIRECTOR)
    ask(session, host, DIRECTOR, mode="paper")
    assert "Plain KBLaM" in shown(session, 1, 2)


def test_an_answer_whose_attention_is_gone_is_said(session, host):
    ask(session, host, *[DIRECTOR] * (KEPT_TRACES + 1))
    text, plot = pair.show(session, 1, 2)
    assert not plot.visible and "no longer kept" in html.unescape(text)


@pytest.mark.parametrize("numbers", [(1, 1), (1, 7), (None, 1)])
def test_what_is_no_pair_is_said_in_words(session, host, numbers):
    ask(session, host, DIRECTOR)
    assert "two different answers" in pair.show(session, *numbers)[0]


def test_added_and_removed_facts_come_after_changed_ones():
    before = [Triple("A", "p", "1"), Triple("B", "p", "2"), Triple("C", "p", "3")]
    after = [Triple("D", "p", "4"), Triple("B", "p", "5"), Triple("C", "p", "3")]
    assert table_edits(before, after) == [Edit("B · p", "2", "5"), Edit("D · p", None, "4"), Edit("A · p", "1", None)]
    assert table_edits(before, before) == []
