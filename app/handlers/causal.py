"""Asking a question again with one fact left out or changed. The visitor's table and chat stay as they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gradio as gr

from app.causal import Change, comparison, make_change, waiting
from app.figures import difference_figure
from app.host import Encoding, ModelHost, run
from app.problems import Said, in_words
from app.render import literal
from app.session import Session
from app.texts import say
from kblam_core import Answer, KblamError

log = logging.getLogger("app")


def accept(session: Session, event: gr.EventData) -> tuple:
    """Note the change that the explorer asks for, or say what is missing. Returns (comparison, difference box, difference plot)."""
    data = event._data if isinstance(event._data, dict) else {}
    turn = next((turn for number, turn in session.traced() if number == data.get("turn")), None)
    try:
        if turn is None or not isinstance(data.get("row"), int):
            raise Said(say(session.lang, "attention_no_map"))
        value = str(data.get("value", "")) if data.get("name") == "what_if" else None
        session.change = make_change(turn, data["row"], value, session.lang)
    except KblamError as error:
        return _told(in_words(session.lang, error), alert=True)
    return waiting(session.change, session.lang), gr.Accordion(visible=False), None


def close(session: Session) -> tuple:
    """Put the pair away as soon as a new question is on its way: it belongs to the answer before. Returns as `accept`."""
    return ("", gr.Accordion(visible=False), None) if session.current() else (gr.skip(),) * 3


def answer(session: Session, host: ModelHost) -> Iterator[tuple]:
    """Ask the noted change's question on the changed copy; nothing happens when none is noted."""
    change, session.change = session.change, None
    if change is None:
        yield gr.skip(), gr.skip(), gr.skip()
        return
    try:
        yield from _ask(session, host, change)
    except KblamError as error:
        yield _told(in_words(session.lang, error), alert=True)
    except Exception:
        log.exception("Asking again failed")
        yield _told(say(session.lang, "generic_error"), alert=True)


def _ask(session: Session, host: ModelHost, change: Change) -> Iterator[tuple]:
    turn, facts = change.turn, change.facts()
    pieces = run(host.key, session.kb, facts, turn.question, turn.history, turn.options)
    try:
        session.kb = next(pieces)  # the next question brings it back to the visitor's table
        for piece in pieces:
            if session.current():  # a new question was asked meanwhile, and `close` has put the pair away
                yield gr.skip(), gr.skip(), gr.skip()
                return
            if isinstance(piece, Encoding):
                yield _told(say(session.lang, "encoding", done=f"{piece.done:,}", total=f"{piece.total:,}"))
            elif isinstance(piece, Answer):
                figure = difference_figure(turn.answer.trace, turn.facts, piece.trace, facts, lang=session.lang)
                yield comparison(change, piece, session.lang), gr.Accordion(visible=figure is not None), figure
    finally:
        pieces.close()


def _told(text: str, *, alert: bool = False) -> tuple:
    kind = 'class="kb-notice" role="alert"' if alert else 'class="kb-note" role="status"'
    return f"<p {kind}>{literal(text)}</p>", gr.Accordion(visible=False), None
