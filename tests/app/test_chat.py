"""Asking: the open cell counts, a second question is refused kindly, errors become words, stop keeps what was said."""

from __future__ import annotations

import logging

import pytest

from app.handlers import chat
from app.host import ModelHost
from app.session import MAX_QUESTION, Session
from kblam_core import MissingWeightsError
from tests.app.fakes import FakeKblam


def ask(session: Session, host: ModelHost, question: str, value: object = None, **options) -> tuple:
    result = chat.accept(session, value, question)
    list(chat.stream(session, host, options.get("mode", "kblam"), options.get("threshold", 0.5)))
    return result


def test_an_answer_with_its_fact(session, host):
    ask(session, host, "Who is the director of the Halden Workshop?")
    turn = session.turns[-1]
    assert turn.state == "answered" and "Ingrid Solvang" in turn.text
    assert turn.facts[turn.answer.sources[0].index].value == "Ingrid Solvang"


def test_a_cell_that_was_never_left_counts_for_the_next_question(session, host):
    ask(session, host, "Who is the director of the Halden Workshop?")
    row = session.draft.rows[0]
    value = {"edits": {str(row.id): [1, ["Halden Workshop", "director", "Priya Raman"]]}}
    ask(session, host, "Who is the director of the Halden Workshop?", value)
    assert "Priya Raman" in session.turns[-1].text
    assert session.kb.encoded == 4  # three facts once, the changed one again


def test_an_old_edit_that_arrives_late_is_ignored(session, host):
    row = session.draft.rows[0]
    chat.accept(session, {"edits": {str(row.id): [2, ["a", "b", "new"]]}}, "")
    chat.accept(session, {"edits": {str(row.id): [1, ["a", "b", "old"]]}}, "")
    assert session.draft.rows[0].cells[2] == "new"


@pytest.mark.parametrize("value", [None, 3, {"edits": 4}, {"edits": {"x": [1, []]}}, {"edits": {"1": "zz"}}])
def test_malformed_edits_do_no_harm(session, host, value):
    ask(session, host, "What is the price of the Corvin Lathe?", value)
    assert session.turns[-1].state == "answered"


@pytest.mark.parametrize("question", ["", "   \n ", "x" * (MAX_QUESTION + 1), "y" * 10_000])
def test_an_empty_or_huge_question_is_refused_and_kept(session, host, question):
    _, box, note, *_ = ask(session, host, question)
    assert session.turns == []
    assert box["__type__"] == "update" and "value" not in box  # the box keeps what is typed
    assert "kb-notice" in note


def test_a_second_question_while_the_first_streams_is_refused_kindly(session, host):
    chat.accept(session, None, "Who is the director of the Halden Workshop?")
    _, box, note, *_ = chat.accept(session, None, "What is the price?")
    assert "value" not in box and "still" in note
    assert len(session.turns) == 1


def test_refusal_and_empty_table_are_states(session, host):
    ask(session, host, "How tall is the moon?")
    assert session.turns[-1].state == "refused"
    session.draft.replace([])
    ask(session, host, "How tall is the moon?")
    assert session.turns[-1].state == "empty_table"


def test_a_known_error_shows_its_message_and_an_unknown_one_does_not(session, host, model, caplog):
    model.error = MissingWeightsError("The weights are missing. Connect once.")
    ask(session, host, "one")
    assert session.turns[-1].text == "The weights are missing. Connect once."
    model.error = RuntimeError("secret detail")
    with caplog.at_level(logging.ERROR):
        ask(session, host, "two")
    assert session.turns[-1].state == "error" and "secret" not in session.turns[-1].text
    assert "secret detail" in caplog.text


def test_a_model_that_cannot_load_is_said_in_words_and_tried_again(session):
    tries = []

    def load():
        tries.append(1)
        if len(tries) == 1:
            raise MissingWeightsError("No network and no stored copy.")
        return FakeKblam()

    host = ModelHost(load)
    ask(session, host, "Who is the director of Laurel House?")
    assert session.turns[-1].text == "No network and no stored copy."
    assert "No network" in chat.banner(session, host)[0].replace("&#46;", ".")
    ask(session, host, "Who is the director of Laurel House?")
    assert session.turns[-1].state == "answered" and chat.banner(session, host)[0] == ""


def test_stop_keeps_the_words_said_so_far(session):
    host = ModelHost(lambda: FakeKblam(delay=0.1))
    host.start()
    chat.accept(session, None, "Who is the director of Laurel House?")
    for _ in chat.stream(session, host, "kblam", 0.5):
        if session.turns and session.turns[-1].text:
            chat.stop(session)
    turn = session.turns[-1]
    assert turn.state == "stopped" and 0 < len(turn.text) < len("The director of Laurel House is Tomasz Wilk.")


def test_a_large_table_shows_progress_and_can_be_stopped(session, host):
    session.draft.replace([(f"entity {number}", "property", f"value {number}") for number in range(1_000)])
    chat.accept(session, None, "What is the property of entity 7?")
    seen = []
    for _ in chat.stream(session, host, "kblam", 0.5):
        if session.turns[-1].encoding and session.turns[-1].open:
            seen.append((session.turns[-1].encoding.done, session.turns[-1].encoding.total))
            if len(seen) == 3:
                session.stop()
    assert seen == [(0, 1000), (256, 1000), (512, 1000)]
    assert session.turns[-1].state == "stopped" and session.kb.encoded == 512
    ask(session, host, "What is the property of entity 7?")
    assert session.turns[-1].state == "answered" and session.kb.encoded == 1000


def test_undo_during_an_answer_removes_it(session):
    host = ModelHost(lambda: FakeKblam(delay=0.05))
    host.start()
    chat.accept(session, None, "Who is the director of Laurel House?")
    for step, _ in enumerate(chat.stream(session, host, "kblam", 0.5)):
        if step == 2:
            session.take_back()
    assert session.turns == []


def test_options_reach_the_model(session, host, model):
    ask(session, host, "one", mode="paper", threshold=0.8)
    options = model.asked[-1][2]
    assert (options.mode, options.threshold, options.trace) == ("paper", 0.8, True)
