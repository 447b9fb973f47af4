"""Turns: one at a time, stoppable, removable; old attention is forgotten, texts are not."""

from __future__ import annotations

import copy
from dataclasses import replace

from app.session import BUSY_SECONDS, KEPT_TRACES, Session
from kblam_core import Answer, AskOptions
from tests.app.fakes import FakeKblam


def answered(question: str) -> Answer:
    from kblam_core import Triple

    model = FakeKblam()
    base = model.knowledge_base([Triple("Halden Workshop", "director", "Ingrid")])
    return model.ask(base, question, options=AskOptions(trace=True))


def test_a_second_question_waits_until_the_first_is_done():
    session = Session()
    turn = session.begin("one")
    assert session.begin("two") is None
    session.finish(turn, answered("director of Halden Workshop"))
    assert session.begin("two") is not None


def test_a_turn_that_never_ended_does_not_block_for_ever():
    session = Session()
    turn = session.begin("one")
    turn.started -= BUSY_SECONDS + 1
    assert session.begin("two") is not None
    assert turn.state == "stopped"


def test_a_stopped_turn_ignores_an_answer_that_comes_late():
    session = Session()
    turn = session.begin("one")
    turn.text = "The dir"
    session.stop()
    session.finish(turn, answered("director of Halden Workshop"))
    assert (turn.state, turn.text, turn.answer) == ("stopped", "The dir", None)


def test_taking_back_returns_the_question_and_drops_what_follows():
    session = Session()
    for question in ("one", "two", "three"):
        session.finish(session.begin(question), answered("director of Halden Workshop"))
    assert session.take_back(1) == "two"
    assert [turn.question for turn in session.turns] == ["one"]
    assert session.take_back() == "one"
    assert session.take_back() == ""


def test_only_the_newest_answers_keep_their_attention():
    session = Session()
    for number in range(KEPT_TRACES + 3):
        session.finish(session.begin(str(number)), answered("director of Halden Workshop"))
    assert len(session.traced()) == KEPT_TRACES
    assert session.traced()[0][0] == KEPT_TRACES + 3
    assert all(turn.text for turn in session.turns)


def test_history_holds_finished_turns_only():
    session = Session()
    session.finish(session.begin("one"), answered("director of Halden Workshop"))
    session.fail(session.begin("two"), "no")
    session.finish(session.begin("three"), replace(answered("x"), state="refused", text="No."))
    session.begin("four")
    assert [question for question, _ in session.history()] == ["one", "three"]


def test_a_fresh_session_can_be_copied_for_each_visitor():
    first = Session()
    second = copy.deepcopy(first)
    second.begin("one")
    assert first.turns == []
