"""The draft kept in the visitor's own browser: what is stored there and how it is read back. No gradio here.

What comes back was in the visitor's hands, so it is read as untrusted input: anything unexpected means no stored draft.
"""

from __future__ import annotations

from app.draft import MAX_ROWS, TableDraft
from app.samples import SAMPLES
from app.session import Session

VERSION = 1
MAX_KEPT = 400_000  # characters of cells; local storage holds about five million, and each edit sends the whole draft


def to_keep(session: Session) -> dict:
    """The table as plain JSON; without "rows" while it is the untouched sample, or when it is too large."""
    kept = {"v": VERSION, "sample": session.sample}  # never None: gradio leaves the stored value as it is then
    if is_sample(session) or is_too_large(session.draft):
        return kept
    return {**kept, "rows": [[*row.cells] if row.included else [*row.cells, False] for row in session.draft.rows]}


def kept_rows(kept: object) -> list[list] | None:
    """The rows of what `to_keep` made, None when there are none to bring back."""
    rows = kept.get("rows") if isinstance(kept, dict) and kept.get("v") == VERSION else None
    if not isinstance(rows, list) or len(rows) > MAX_ROWS:
        return None
    for row in rows:
        if not isinstance(row, list) or len(row) not in (3, 4) or not all(isinstance(cell, str) for cell in row[:3]):
            return None
        if len(row) == 4 and not isinstance(row[3], bool):
            return None
    return rows


def is_too_large(draft: TableDraft) -> bool:
    return sum(sum(map(len, row.cells)) + 8 for row in draft.rows) > MAX_KEPT


def is_sample(session: Session) -> bool:
    """True while the table is the chosen sample, cell for cell."""
    sample = SAMPLES.get(session.sample)
    if sample is None:
        return False
    rows = [(row.cells, row.included) for row in session.draft.rows]
    return rows == [((fact.entity, fact.property, fact.value), True) for fact in sample.triples()]
