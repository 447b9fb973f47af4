"""Importing a file: at once when its columns are known, else after the visitor said which column is which."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from app.handlers.table import alert, changing, view
from app.problems import Said, in_words
from app.render import literal
from app.session import Session
from app.texts import plural, say
from kblam_core import Grid, InputError, KblamError, Table, parse_table, read_grid

log = logging.getLogger("app")
SHOWN_ROWS = 3
SHOWN_FACTS = 4
SHOWN_COLUMNS = 8
SHOWN_TEXT = 60
LAYOUTS = ("long", "wide")


@dataclass(frozen=True)
class Pending:
    """A file that waits for the visitor's word on its columns."""

    name: str
    grid: Grid


@changing
def import_file(session: Session, value: object, path: str | None) -> tuple:
    """Read a file into the table, or open the panel. Returns (*view, *panel as build.import_view)."""
    session.pending = None
    if not path:
        return (*view(session), *closed())
    lang, file = session.lang, Path(path)
    try:
        data = file.read_bytes()
        try:
            table = parse_table(data, name=file.name)
        except InputError as error:
            session.pending = Pending(file.name, _grid(data, file.name, error))
            return (*view(session), *opened(session))
        if not table.triples and not table.left_out:
            raise Said(say(lang, "import_nothing", name=file.name))
    except KblamError as error:
        return (*view(session, message=alert(lang, "import_failed", [in_words(lang, error)])), *closed())
    except Exception:
        log.exception("The import failed")
        return (*view(session, message=alert(lang, "import_failed", [say(lang, "generic_error")])), *closed())
    finally:
        file.unlink(missing_ok=True)
    return (*_take(session, table, file.name), *closed())


def preview(session: Session, layout: str, header: bool, entity: object, property: object, value: object) -> tuple:
    """What the present choice gives. Returns (intro, entity, property, value, result)."""
    if session.pending is None:
        return (gr.skip(),) * 5
    grid = _read(session, header)
    wide = layout == "wide"
    return (
        _intro(session, grid),
        _dropdown(grid, entity),
        gr.update(**_options(grid, property), visible=not wide),
        gr.update(**_options(grid, value), visible=not wide),
        _result(session, layout, header, entity, property, value),
    )


@changing
def confirm(session: Session, sent: object, layout: str, header: bool, entity: object, property: object, value: object) -> tuple:
    """Put the chosen columns' facts in place of the table. Returns (*view, *panel)."""
    if session.pending is None:
        return (*view(session), *closed())
    try:
        table = _facts(session, layout, header, entity, property, value)
        if not table.triples:
            raise Said(say(session.lang, "import_nothing", name=session.pending.name))
    except InputError as error:
        kept = (gr.skip(),) * len(closed())
        return (*view(session, message=alert(session.lang, "import_failed", [in_words(session.lang, error)])), *kept)
    name, session.pending = session.pending.name, None
    return (*_take(session, table, name), *closed())


def cancel(session: Session) -> tuple:
    """Close the panel; the table is as it was."""
    session.pending = None
    return closed()


def opened(session: Session) -> tuple:
    """The panel with a first guess: (panel, intro, layout, header, entity, property, value, result)."""
    grid = session.pending.grid
    wide = grid.looks_wide()
    layout = "wide" if wide else "long"
    layouts = [(say(session.lang, f"import_{key}"), key) for key in LAYOUTS if key == "wide" or len(grid.columns) > 2]
    return (
        gr.Column(visible=True),
        _intro(session, grid),
        gr.Radio(choices=layouts, value=layout),
        gr.Checkbox(value=True),
        _dropdown(grid, 0),
        gr.update(**_options(grid, 1), visible=not wide),
        gr.update(**_options(grid, 2), visible=not wide),
        _result(session, layout, True, 0, 1, 2),
    )


def closed() -> tuple:
    """The panel put away; as `opened`."""
    return (gr.Column(visible=False), *(gr.skip(),) * 7)


def _grid(data: bytes, name: str, first: InputError) -> Grid:
    """The raw cells; a file that has none keeps the first and better explanation."""
    try:
        return read_grid(data, name=name)
    except InputError:
        raise first from None


def _take(session: Session, table: Table, name: str) -> tuple:
    lang = session.lang
    rows = [(fact.entity, fact.property, fact.value) for fact in table.triples]
    session.draft.replace([*rows, *((fact.entity, fact.property, fact.value, False) for fact in table.left_out)])
    facts = plural(lang, "fact", len(table.triples))
    key = "imported_partly" if table.problems else "imported"
    return view(session, message=alert(lang, key, [in_words(lang, problem.message) for problem in table.problems], facts=facts, name=name))


def _read(session: Session, header: bool) -> Grid:
    grid = session.pending.grid
    return grid if header else grid.without_header()


def _facts(session: Session, layout: str, header: bool, *places: object) -> Table:
    grid = _read(session, header)
    entity, property, value = (place if isinstance(place, int) else -1 for place in places)
    return grid.wide(entity) if layout == "wide" else grid.long(entity, property, value)


def _options(grid: Grid, chosen: object) -> dict:
    choices = [(_short(column), place) for place, column in enumerate(grid.columns)]
    known = isinstance(chosen, int) and 0 <= chosen < len(choices)
    return {"choices": choices, "value": chosen if known else None}


def _dropdown(grid: Grid, chosen: object) -> dict:
    return gr.update(**_options(grid, chosen))


def _intro(session: Session, grid: Grid) -> str:
    lang = session.lang
    text = literal(say(lang, "import_which", name=session.pending.name, rows=f"{len(grid.rows):,}"))
    return f'<p class="kb-note">{text}</p>' + _table(grid.columns, grid.rows[:SHOWN_ROWS])


def _result(session: Session, layout: str, header: bool, *places: object) -> str:
    lang = session.lang
    try:
        table = _facts(session, layout, header, *places)
    except InputError as error:
        return f'<p class="kb-warn">{literal(in_words(lang, error))}</p>'
    shown = [(fact.entity, fact.property, fact.value) for fact in table.triples[:SHOWN_FACTS]]
    parts = [say(lang, "import_gives", facts=plural(lang, "fact", len(table.triples)))]
    if table.problems:
        parts.append(plural(lang, "problem", len(table.problems)))
    heads = [say(lang, name) for name in ("entity", "property", "value")]
    return f'<p class="kb-label">{literal(" · ".join(parts))}</p>' + _table(heads, shown)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{literal(_short(text))}</th>" for text in columns[:SHOWN_COLUMNS])
    more = "<th>…</th>" if len(columns) > SHOWN_COLUMNS else ""
    lines = ("".join(f"<td>{literal(_short(text))}</td>" for text in row[:SHOWN_COLUMNS]) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="kb-preview"><table><thead><tr>{heads}{more}</tr></thead><tbody>{body}</tbody></table></div>'


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"
