"""Saving an answer as a file and making a link. No call of the model happens here."""

from __future__ import annotations

import time

import gradio as gr

from app.export import answer_csv, answer_html, answer_json
from app.handlers import table
from app.handlers.chat import notice
from app.keeping import is_sample
from app.link import LEAST, MOST, Shared, make_link, plain_rows
from app.render import turn_title
from app.session import MAX_QUESTION, Session
from app.texts import say

KINDS = {
    "json": (lambda turn, lang: answer_json(turn), "application/json"),
    "csv": (lambda turn, lang: answer_csv(turn), "text/csv"),
    "html": (answer_html, "text/html"),
}


def answers(session: Session) -> dict:
    """The answers to choose from, newest first and chosen."""
    choices = [(turn_title(number, turn), number) for number, turn in session.answered()]
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def save(session: Session, number: int | None, kind: str) -> tuple:
    """(download, notice) for the answer `number`, the newest one when it is gone."""
    known = session.answered()
    if not known:
        return gr.skip(), notice(say(session.lang, "share_nothing"))
    number, turn = next((item for item in known if item[0] == number), known[0])
    write, content_type = KINDS[kind]
    file = {"name": f"answer-{number}.{kind}", "text": write(turn, session.lang), "type": content_type, "stamp": time.time_ns()}
    lost = kind != "json" and turn.answer.trace is None
    return file, notice(say(session.lang, "share_no_attention")) if lost else ""


def link(session: Session, sent: object, question: str | None, mode: str, threshold: float, model: str = "") -> tuple:
    """(link, notice): the question in the box, else the last one asked; a table too large for a link is left to a file."""
    table.take_edits(session, sent)
    question = (question or "").strip() or (session.turns[-1].question if session.turns else "")
    threshold = min(max(float(threshold), LEAST), MOST)
    common = (question[:MAX_QUESTION], mode, threshold)
    sample = session.sample if is_sample(session) else None
    made = make_link(Shared(*common, sample=sample, rows=plain_rows(session.draft), model=model))
    note = ""
    if made is None:
        made = make_link(Shared(*common, model=model))
        note = notice(say(session.lang, "link_no_table"))
    if made is None:
        return gr.skip(), notice(say(session.lang, "link_too_long"))
    words = {"name": say(session.lang, "link_name"), "copied": say(session.lang, "link_copied")}
    return {"fragment": made, **words, "stamp": time.time_ns()}, note


def restore(session: Session, shared: Shared) -> None:
    """Put a link's table in place; undo brings the visitor's own back, and it stays the one the browser keeps until an edit."""
    if shared.sample:
        table.put_sample(session, shared.sample)
    elif shared.rows is not None:
        session.draft.replace(shared.rows)
    session.kept_version = session.draft.version
