"""Runs the five systems on one question, one after the other, and shows each answer as soon as it is there."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import gradio as gr

from app.comparison import Comparison, Outcome, comparison_html
from app.handlers import table
from app.handlers.chat import failure, notice
from app.host import Encoding, ModelHost, compare
from app.problems import Said, in_words
from app.session import MAX_QUESTION, Session
from app.texts import say
from kblam_core import AskOptions, KblamError

log = logging.getLogger("app")


def stream(session: Session, host: ModelHost, sent: object, question: str | None, threshold: float) -> Iterator[tuple]:
    """Yields (result, compare button, stop button, right answer). An empty box compares on the last question of the chat."""
    table.take_edits(session, sent)
    question = (question or "").strip() or (session.turns[-1].question if session.turns else "")
    lang = session.lang
    if not question or len(question) > MAX_QUESTION:
        count = f"{len(question):,}"
        text = say(lang, "long_question", count=count, limit=f"{MAX_QUESTION:,}") if question else say(lang, "empty_question")
        yield notice(text), *buttons(False), gr.skip()
        return
    session.comparison = comparison = Comparison(question)
    yield comparison_html(comparison, lang), *buttons(True), gr.Dropdown(visible=False)
    try:
        for _ in _run(session, host, comparison, threshold):
            # As soon as the nearest facts are known: the visitor may be choosing while the others answer.
            offered = _offer(comparison, lang, value=comparison.judge) if len(comparison.outcomes) == 1 else gr.skip()
            yield comparison_html(comparison, lang), gr.skip(), gr.skip(), offered
            if comparison.state == "stopped":
                break
    except KblamError as error:
        comparison.state, comparison.problem = "error", in_words(lang, error)
    except Exception:
        log.exception("The comparison failed")
        comparison.state, comparison.problem = "error", say(lang, "generic_error")
    if session.comparison is comparison:
        # Offered again, whatever was chosen: of updates that reach a browser within one frame only the last one counts.
        again = _offer(comparison, lang) if comparison.outcomes else gr.skip()
        yield comparison_html(comparison, lang), *buttons(False), again


def judge(session: Session, right: object) -> str:
    """Judge the last comparison's answers by what the visitor calls right; no system is asked again."""
    if session.comparison is None:
        return gr.skip()
    session.comparison.judge_by(right)
    return comparison_html(session.comparison, session.lang)


def stop(session: Session) -> tuple:
    """No further system is asked; the answers so far stay. Returns (result, compare button, stop button)."""
    if session.comparison is None:
        return gr.skip(), *buttons(False)
    session.comparison.state = "stopped"
    return comparison_html(session.comparison, session.lang), *buttons(False)


def _run(session: Session, host: ModelHost, comparison: Comparison, threshold: float) -> Iterator[None]:
    host.start()
    while not host.wait(0.5):
        yield
    if host.state == "failed":
        raise Said(failure(session, host))
    comparison.state = "running"
    yield
    comparison.facts = session.draft.triples()
    parts = compare(host.key, session.kb, comparison.facts, comparison.question, AskOptions(threshold=threshold))
    try:
        session.kb = next(parts)
        for part in parts:
            if isinstance(part, Outcome):
                comparison.outcomes.append(part)
            if isinstance(part, Outcome | Encoding):
                yield
    finally:
        parts.close()
    comparison.state = "done"


def _offer(comparison: Comparison, lang: str, **chosen: object) -> gr.Dropdown:
    """The list of what the answers may be judged by."""
    return gr.Dropdown(choices=comparison.choices(lang), visible=True, **chosen)


def buttons(busy: bool) -> tuple:
    return gr.Button(visible=not busy), gr.Button(visible=busy)
