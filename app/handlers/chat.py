"""Asking, streaming, stopping, retrying and taking back. A turn is opened at once and answered when the model is free."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import gradio as gr

from app.guide import observe
from app.handlers import table
from app.host import Encoding, ModelHost, run, shape
from app.models import Models
from app.problems import in_words
from app.recorded import example_note
from app.render import example, literal, messages
from app.session import MAX_QUESTION, Session, Turn
from app.texts import say
from kblam_core import Answer, AskOptions, KblamError

log = logging.getLogger("app")
MIN_REDRAW = 0.08  # seconds between two redraws while words arrive


def accept(session: Session, value: object, question: str | None) -> tuple:
    """Open a turn for the question, or say kindly why not and leave it in the box.

    Returns (chat, question box, notice, ask button, stop button); `stream` then answers the open turn.
    """
    table.take_edits(session, value)
    question = (question or "").strip()
    problem = ""
    if not question:
        problem = say(session.lang, "empty_question")
    elif len(question) > MAX_QUESTION:
        problem = say(session.lang, "long_question", count=f"{len(question):,}", limit=f"{MAX_QUESTION:,}")
    elif session.begin(question) is None:
        problem = say(session.lang, "busy")
    if problem:
        busy = session.current() is not None
        return (gr.skip(), gr.skip(), notice(problem), *buttons(busy))
    return (messages(session), "", "", *buttons(True))


def stream(session: Session, host: ModelHost, mode: str, threshold: float) -> Iterator[tuple]:
    """Answer the open turn, yielding (chat, notice, ask button, stop button). Nothing happens when no turn waits."""
    turn = session.current()
    if turn is None or turn.state != "waiting":
        yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
        return
    turn.state = "loading" if host.state != "ready" else "streaming"
    try:
        yield from _answer(session, turn, host, mode, threshold)
    except KblamError as error:
        session.fail(turn, in_words(session.lang, error))
    except Exception:
        log.exception("Answering failed")
        session.fail(turn, say(session.lang, "generic_error"))
    finally:
        if turn.open:  # the visitor left, or the queue cancelled the call
            turn.state = "stopped"
    yield (messages(session), "", *buttons(session.current() is not None))


def _answer(session: Session, turn: Turn, host: ModelHost, mode: str, threshold: float) -> Iterator[tuple]:
    host.start()
    while not host.wait(0.5):
        yield _redraw(session)
        if not turn.open:
            return
    if host.state == "failed":
        session.fail(turn, failure(session, host))
        return
    if turn.open:
        turn.state = "streaming"
    yield _redraw(session)
    turn.facts, turn.model = session.draft.triples(), host.name
    turn.options = AskOptions(mode=mode, threshold=threshold, trace=True)
    turn.history = session.history()
    drawn = 0.0
    pieces = run(host.key, session.kb, turn.facts, turn.question, turn.history, turn.options)
    try:
        session.kb = next(pieces)
        for piece in pieces:
            if not turn.open:
                return
            if isinstance(piece, Answer):
                observe(turn, piece, session.kb, shape(host.key))
                session.finish(turn, piece)
                return
            if isinstance(piece, Encoding):
                turn.encoding = piece
                yield _redraw(session)
                if not turn.open:
                    return  # before the next part is encoded
                continue
            turn.text += piece
            if time.monotonic() - drawn >= MIN_REDRAW:
                drawn = time.monotonic()
                yield _redraw(session)
    finally:
        pieces.close()


def _redraw(session: Session) -> tuple:
    return messages(session), gr.skip(), gr.skip(), gr.skip()


def stop(session: Session) -> tuple:
    """End the answer being written; its words stay."""
    session.stop()
    return (messages(session), *buttons(False))


def retry(session: Session, value: object, event: gr.RetryData) -> tuple:
    """Ask an earlier question again with the table as it is now; the turns after it go."""
    question = session.take_back(turn_of(event.index))
    if not question:
        return (gr.skip(), gr.skip(), "", gr.skip(), gr.skip())
    chat, _, note, *rest = accept(session, value, question)
    return (chat, gr.skip(), note, *rest)


def undo(session: Session, draft: str | None, event: gr.UndoData) -> tuple:
    """Take back a question and its answer; the question returns to the box unless something is typed there."""
    question = session.take_back(turn_of(event.index))
    return (messages(session), question if not (draft or "").strip() else gr.skip(), "", *buttons(False))


def clear(session: Session) -> tuple:
    """Start a new chat; the table stays."""
    session.take_back(0)
    return (messages(session), gr.skip(), "", *buttons(False))


def empty(session: Session) -> str:
    """What stands in the chat before the first question: what to do, and the recorded example."""
    title = example_note(session.lang, "example_chat")
    return f"<p>{literal(say(session.lang, 'chat_empty'))}</p>{example(session.examples[:1], title, session.lang)}"


def turn_of(index: object) -> int:
    """The turn a chat message belongs to: every turn shows one question and one answer."""
    first = index[0] if isinstance(index, (list, tuple)) and index else index
    return int(first) // 2 if isinstance(first, (int, float)) else 0


def buttons(busy: bool) -> tuple:
    """Ask while idle, Stop while an answer is on its way."""
    return gr.Button(visible=not busy), gr.Button(visible=busy)


def notice(text: str) -> str:
    return f'<p class="kb-notice" role="alert">{literal(text)}</p>'


def choose(session: Session, models: Models, name: str) -> tuple:
    """Answer with another model from now on; it is loaded at once. Returns (banner, timer)."""
    session.model = name
    host = models.named(name)
    host.start()
    return banner(session, host)


def failure(session: Session, host: ModelHost) -> str:
    """Why the model could not be loaded, for the visitor to read."""
    return in_words(session.lang, host.error) if host.error else say(session.lang, "generic_error")


def banner(session: Session, host: ModelHost) -> tuple:
    """(banner, timer): how far the model is. The timer rests once there is nothing more to wait for."""
    if host.state in ("idle", "loading"):
        text = say(session.lang, "model_loading", seconds=host.seconds_loading)
        return f'<p class="kb-banner kb-banner-loading" role="status">{literal(text)}</p>', gr.Timer(active=True)
    if host.state == "failed":
        text = f"{say(session.lang, 'model_failed', reason=failure(session, host))} {say(session.lang, 'model_failed_hint')}"
        return f'<p class="kb-banner kb-banner-failed" role="alert">{literal(text)}</p>', gr.Timer(active=False)
    return "", gr.Timer(active=False)
