"""What the buttons and cells of the table do. Every handler first takes over what was typed, then returns the same view."""

from __future__ import annotations

import csv
import functools
import io
import time

import gradio as gr

from app.draft import MAX_ROWS
from app.keeping import is_too_large, kept_rows, to_keep
from app.problems import in_words
from app.render import literal
from app.samples import DEFAULT, SAMPLES
from app.session import Session
from app.texts import plural, say
from kblam_core import clean_rows, triples_to_csv

COLUMNS = ("entity", "property", "value")
LABELS = (*COLUMNS, "pick_row", "delete_row", "duplicate_row", "include_row", "include_all", "sort_by")
SHOWN_PROBLEMS = 5
MAX_EDITS = 1_000  # rows of one message from the browser; a page has far fewer


def changing(handler):
    """Run a handler of (session, what the browser sent, ...) alone: clicks may follow each other quickly.

    What was typed and not yet sent is taken over first.
    """

    @functools.wraps(handler)
    def alone(session: Session, value: object, *rest):
        with session.lock:
            take_edits(session, value)
            return handler(session, value, *rest)

    return alone


def take_edits(session: Session, value: object) -> None:
    """Put into the table what the browser has typed and not yet sent. Old or malformed parts are ignored."""
    edits = value.get("edits") if isinstance(value, dict) else None
    if not isinstance(edits, dict):
        return
    fresh = {}
    for key, edit in list(edits.items())[:MAX_EDITS]:
        try:
            row, (seq, cells) = int(key), edit
            seq = int(seq)
        except (TypeError, ValueError):
            continue
        if isinstance(cells, list) and seq > session.seen_edits.get(row, 0):
            session.seen_edits[row] = seq
            fresh[row] = cells
    if fresh:
        with session.lock:
            session.draft.edit(fresh)


def view(session: Session, *, focus: int | None = None, message: str = "") -> tuple:
    """The outputs every table handler returns, in the order of build.TABLE_VIEW."""
    draft, lang = session.draft, session.lang
    visible = draft.visible()
    ids = {row.id for _, row in visible}
    note = "" if visible else say(lang, "no_match" if draft.rows else "no_rows")
    labels = {key: say(lang, key) for key in LABELS}
    session.views += 1
    value = {
        "serial": session.views,
        "rows": [[row.id, number, list(row.cells), row.included] for number, row in visible],
        "marks": {str(key): [in_words(lang, mark.text), list(mark.columns)] for key, mark in draft.marks().items() if key in ids},
        "sorted": draft.sorted_by,
        "included": _included(session),
        "edits": {},
        "ack": max(session.seen_edits.values(), default=0),
        "focus": focus,
        "labels": labels,
        "note": note,
    }
    pages = draft.pages()
    place = literal(say(lang, "page_of", page=draft.page + 1, pages=pages))
    return (
        value,
        _status(session),
        _problems(session, message),
        gr.Row(visible=pages > 1),
        gr.Button(interactive=draft.page > 0),
        f'<p class="kb-place">{place}</p>',
        gr.Button(interactive=draft.page < pages - 1),
        gr.Button(interactive=draft.can_undo),
        gr.Button(interactive=draft.can_redo),
        keep(session),
        gr.Textbox(value="") if not draft.query else gr.skip(),
    )


def begin(session: Session, kept: object) -> None:
    """The table of a new page: the draft that this browser kept, else the sample."""
    own = kept_rows(kept)
    sample = kept.get("sample") if isinstance(kept, dict) else DEFAULT
    session.sample = sample if isinstance(sample, str) and sample in SAMPLES else DEFAULT
    if own is None:
        put_sample(session, session.sample)
    else:
        session.draft.replace(own)
    session.draft.forget_undo()
    session.kept_version = session.draft.version  # it is there already, or needs no keeping


def keep(session: Session) -> object:
    """What the browser is to store of the draft; a skip while it has this version already."""
    if session.kept_version == session.draft.version:
        return gr.skip()
    session.kept_version = session.draft.version
    return to_keep(session)


@changing
def operate(session: Session, value: object, event: gr.EventData) -> tuple:
    """An action inside the editor: a cell was left, a row deleted, a block of cells pasted, a row asked for."""
    data = event._data if isinstance(event._data, dict) else {}
    draft, focus, message = session.draft, None, ""
    name = data.get("name")
    if name == "delete":
        draft.delete([int(data.get("id", 0))])
    elif name == "add":
        focus = draft.add_row()
    elif name == "duplicate":
        focus = draft.duplicate(int(data.get("id", 0)))
    elif name == "include":
        draft.include(bool(data.get("on")), [int(data.get("id", 0))])
    elif name == "include_all":
        draft.include(bool(data.get("on")))
    elif name == "sort":
        _sort(session, int(data.get("column", 0)))
    elif name == "paste":
        block = paste_block(str(data.get("text", "")))
        column = min(max(int(data.get("column", 0)), 0), 2)
        if len(block) > MAX_ROWS:
            message = say(session.lang, "too_many", limit=f"{MAX_ROWS:,}")
        draft.paste(int(data.get("id", 0)), column, block[:MAX_ROWS])
    return view(session, focus=focus, message=message)


@changing
def add(session: Session, value: object) -> tuple:
    return view(session, focus=session.draft.add_row())


@changing
def undo(session: Session, value: object) -> tuple:
    done = session.draft.undo()
    return view(session, message="" if done else say(session.lang, "nothing_to_undo"))


@changing
def redo(session: Session, value: object) -> tuple:
    done = session.draft.redo()
    return view(session, message="" if done else say(session.lang, "nothing_to_redo"))


@changing
def start_over(session: Session, value: object) -> tuple:
    """The last chosen sample as it was at first; undo brings the own table back. Also returns its questions."""
    put_sample(session, session.sample or DEFAULT)
    return (*view(session), gr.update(value=session.sample), questions(session))


@changing
def clear(session: Session, value: object) -> tuple:
    session.draft.replace([])
    return view(session)


@changing
def search(session: Session, value: object, query: str) -> tuple:
    if (query or "").strip() != session.draft.query:  # also called when another handler has emptied the box
        session.draft.search(query or "")
    return (*view(session)[:-1], gr.skip())  # the box itself is left alone while someone types in it


@changing
def previous(session: Session, value: object) -> tuple:
    session.draft.page -= 1
    return view(session)


@changing
def following(session: Session, value: object) -> tuple:
    session.draft.page += 1
    return view(session)


@changing
def pick_sample(session: Session, value: object, key: str) -> tuple:
    """Put a sample table in place (undo brings the old one back); also returns its questions to click."""
    if key in SAMPLES:
        put_sample(session, key)
    return (*view(session), questions(session))


def put_sample(session: Session, key: str) -> None:
    """Put a sample in place of the table; undo brings the old one back."""
    session.sample = key
    session.draft.replace([(fact.entity, fact.property, fact.value) for fact in SAMPLES[key].triples()])


def questions(session: Session) -> dict:
    """The value of the row of example questions."""
    sample = SAMPLES.get(session.sample)
    return {"label": say(session.lang, "try"), "items": list(sample.questions) if sample else []}


@changing
def export(session: Session, value: object) -> dict:
    """The usable facts as a CSV for the browser to save; with a column "included" as soon as a row is left out."""
    draft = session.draft
    text = _csv_with_included(session) if draft.left_out() else triples_to_csv(draft.triples())
    return {"name": "facts.csv", "text": text, "stamp": time.time_ns()}


def _csv_with_included(session: Session) -> str:
    used = set(session.draft.triples())
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*COLUMNS, "included"))
    for row in session.draft.rows:
        facts = clean_rows([row.cells]).triples  # of a row left out only what could be used is kept, too
        if facts and (not row.included or facts[0] in used):
            writer.writerow((facts[0].entity, facts[0].property, facts[0].value, "yes" if row.included else "no"))
    return buffer.getvalue()


def paste_block(text: str) -> list[list[str]]:
    """Cells as spreadsheets put them on the clipboard: tabs between cells, quotes around cells with line breaks."""
    try:
        return [row for row in csv.reader(io.StringIO(text), delimiter="\t") if row]
    except csv.Error:
        return [line.split("\t") for line in text.splitlines() if line]


def _sort(session: Session, column: int) -> None:
    """A click on a column's head: up, then down, then the table's own order."""
    column = min(max(column, 0), 2)
    last = session.draft.sorted_by
    if last == (column, True):
        session.draft.sort(None)
    else:
        session.draft.sort(column, descending=last == (column, False))


def _included(session: Session) -> bool | None:
    """Of the rows found: True all are given to the model, False none, None some."""
    kinds = {row.included for _, row in session.draft.found()}
    return kinds.pop() if len(kinds) == 1 else None if kinds else True


def _status(session: Session) -> str:
    draft, lang = session.draft, session.lang
    parts = [plural(lang, "fact", len(draft.triples()))]
    if draft.query:
        parts.append(say(lang, "found", found=f"{len(draft.found()):,}", rows=f"{len(draft.rows):,}"))
    if count := draft.left_out():
        parts.append(say(lang, "left_out", count=f"{count:,}"))
    if count := len(draft.problems()):
        parts.append(plural(lang, "problem", count))
    if is_too_large(draft):
        parts.append(say(lang, "not_kept"))
    return f'<p class="kb-status" role="status">{literal(" · ".join(parts))}</p>'


def _problems(session: Session, message: str) -> str:
    head = message if message.startswith("<") else f"<p>{literal(message)}</p>" if message else ""
    remarks = [] if "<ul>" in head else [in_words(session.lang, problem.message) for problem in session.draft.problems()]
    return f'<div class="kb-problems" role="status">{head}{_list(remarks, session.lang)}</div>'


def alert(lang: str, key: str, remarks: list[str], **values: object) -> str:
    """A sentence with remarks below it, for `view(message=...)`."""
    return f"<p><b>{literal(say(lang, key, **values))}</b></p>{_list(remarks, lang)}"


def _list(remarks: list[str], lang: str) -> str:
    if not remarks:
        return ""
    shown = remarks[:SHOWN_PROBLEMS]
    if len(remarks) > SHOWN_PROBLEMS:
        shown.append(say(lang, "problems_more", count=len(remarks) - SHOWN_PROBLEMS))
    return f"<ul>{''.join(f'<li>{literal(text)}</li>' for text in shown)}</ul>"
