"""The table a visitor edits: rows with stable ids, undo, search, sorting, pages. The editor shows a page; all rows live here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from kblam_core import Problem, Table, Triple, clean_rows

PAGE_SIZE = 50
MAX_ROWS = 20_000
MAX_UNDO = 30
MAX_TYPED = 20_000  # characters kept of one cell: more than a fact may have, so that its problem can be shown
Cells = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the editor. `id` stays the same while the row lives, whatever is added above it.

    included: False keeps the row in the table and from the model.
    """

    id: int
    cells: Cells
    included: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """What is wrong with a row, in words, and the columns (0 to 2) it is about."""

    text: str
    columns: tuple[int, ...]


@dataclass
class TableDraft:
    """All rows as typed, in order. Rows are immutable, so that an undo step is a plain copy of the list."""

    rows: list[Row] = field(default_factory=list)
    query: str = ""
    page: int = 0
    version: int = 0
    sorted_by: tuple[int, bool] | None = None  # (column, descending) of the view; the table keeps its own order
    _next_id: int = 1
    _undo: list[list[Row]] = field(default_factory=list)
    _redo: list[list[Row]] = field(default_factory=list)
    _places: dict[int, int] = field(default_factory=dict)  # row id -> place in the sorted view
    _checked: tuple[int, Table] | None = None

    # -- changes ----------------------------------------------------------------------------------------------------

    def replace(self, rows: Iterable[Sequence[object]], *, undoable: bool = True) -> None:
        """Put a whole new table in place of this one. A fourth cell that is False leaves the row out."""
        self._change(undoable)
        self.rows = [self._row(cells) for cells in rows]
        self.query, self.page = "", 0
        self.sort(None)

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        self._change()
        self.rows.extend(self._row(cells) for cells in rows)
        self.show_end()

    def edit(self, edits: dict[int, Sequence[object]]) -> bool:
        """Set the cells of rows by id; ids that are gone are ignored. True when anything became different."""
        wanted = {row.id: as_cells(edits[row.id]) for row in self.rows if row.id in edits}
        changed = {row.id for row in self.rows if row.id in wanted and wanted[row.id] != row.cells}
        if not changed:
            return False
        self._change()
        self.rows = [replace(row, cells=wanted[row.id]) if row.id in changed else row for row in self.rows]
        return True

    def delete(self, ids: Iterable[int]) -> None:
        gone = set(ids)
        if any(row.id in gone for row in self.rows):
            self._change()
            self.rows = [row for row in self.rows if row.id not in gone]

    def duplicate(self, row_id: int) -> int | None:
        """Put a copy of a row right below it; returns the copy's id, None when the row is gone."""
        at = next((index for index, row in enumerate(self.rows) if row.id == row_id), None)
        if at is None:
            return None
        self._change()
        original = self.rows[at]
        copy = replace(original, id=self._row(original.cells).id)
        self.rows.insert(at + 1, copy)
        if row_id in self._places:
            self._places[copy.id] = self._places[row_id]
        found = [row.id for _, row in self.found()]
        self.page = found.index(copy.id) // PAGE_SIZE
        return copy.id

    def include(self, included: bool, ids: Iterable[int] | None = None) -> None:
        """Give rows to the model, or keep them from it; without ids all that the search finds."""
        wanted = {row.id for _, row in self.found()} if ids is None else set(ids)
        if any(row.id in wanted and row.included != included for row in self.rows):
            self._change()
            self.rows = [replace(row, included=included) if row.id in wanted else row for row in self.rows]

    def add_row(self) -> int:
        """A new empty row at the end, shown at once; returns its id. An empty last row is used again."""
        if not self.rows or any(self.rows[-1].cells):
            self._change()
            self.rows.append(self._row(("", "", "")))
        self.show_end()
        return self.rows[-1].id

    def paste(self, start_id: int, column: int, block: Sequence[Sequence[str]]) -> None:
        """Lay a block of pasted cells over the rows as they are shown from one cell on, adding rows at the end as needed."""
        self._change()
        shown = [number - 1 for number, _ in self.found()]
        start = next((place for place, index in enumerate(shown) if self.rows[index].id == start_id), len(shown))
        targets = shown[start:]
        for offset, line in enumerate(block):
            if offset == len(targets):
                targets.append(len(self.rows))
                self.rows.append(self._row(("", "", "")))
            row = self.rows[targets[offset]]
            cells = list(row.cells)
            for shift, text in enumerate(line[: 3 - column]):
                cells[column + shift] = text
            self.rows[targets[offset]] = replace(row, cells=as_cells(cells))

    def undo(self) -> bool:
        """Take back the last change. False when there is none."""
        return self._step(self._undo, self._redo)

    def redo(self) -> bool:
        """Do again what undo took back. False when there is nothing, or something was changed since."""
        return self._step(self._redo, self._undo)

    def forget_undo(self) -> None:
        """Make the table as it is now the oldest one that undo knows."""
        self._undo, self._redo = [], []

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    # -- views ------------------------------------------------------------------------------------------------------

    def check(self) -> Table:
        """The usable facts and the problems of all rows, worked out once per change."""
        if self._checked is None or self._checked[0] != self.version:
            # A row left out counts as an empty line, so that the row numbers in the problems stay those of the table.
            used = (row.cells if row.included else ("", "", "") for row in self.rows)
            self._checked = (self.version, clean_rows(used, max_rows=MAX_ROWS))
        return self._checked[1]

    def triples(self) -> list[Triple]:
        return self.check().triples

    def problems(self) -> list[Problem]:
        return self.check().problems

    def found(self) -> list[tuple[int, Row]]:
        """(row number from 1, row) of every row that holds all words of the search, in the order of the view."""
        words = self.query.casefold().split()
        found = [(number, row) for number, row in enumerate(self.rows, start=1) if not words or _holds(row, words)]
        if self.sorted_by:
            found.sort(key=lambda item: self._places.get(item[1].id, len(self._places)))  # rows added since come last
        return found

    def pages(self) -> int:
        return max(1, -(-len(self.found()) // PAGE_SIZE))

    def visible(self) -> list[tuple[int, Row]]:
        """The rows of the page on show; the page number is brought back into range."""
        found = self.found()
        self.page = min(max(self.page, 0), max(0, (len(found) - 1) // PAGE_SIZE))
        start = self.page * PAGE_SIZE
        return found[start : start + PAGE_SIZE]

    def marks(self) -> dict[int, Mark]:
        """Row id -> what is wrong with it, for the rows that have a problem."""
        own = [problem for problem in self.problems() if 0 < problem.row <= len(self.rows)]
        return {self.rows[problem.row - 1].id: Mark(problem.message, problem.columns) for problem in own}

    def left_out(self) -> int:
        """Rows with something in them that the visitor keeps from the model."""
        return sum(not row.included and any(row.cells) for row in self.rows)

    def sort(self, column: int | None, descending: bool = False) -> None:
        """Show the rows ordered by a column as it is now (numbers by size, empty cells last); None: the table's own order."""
        self.sorted_by, self.page, self._places = None, 0, {}
        if column is None:
            return
        filled = [row for row in self.rows if row.cells[column]]
        filled.sort(key=lambda row: _sort_key(row.cells[column]), reverse=descending)
        ordered = filled + [row for row in self.rows if not row.cells[column]]
        self.sorted_by, self._places = (column, descending), {row.id: place for place, row in enumerate(ordered)}

    def search(self, query: str) -> None:
        self.query, self.page = query.strip()[:200], 0

    def show_end(self) -> None:
        self.query = ""
        self.page = max(0, (len(self.rows) - 1) // PAGE_SIZE)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _change(self, undoable: bool = True) -> None:
        if undoable:
            self._undo = [*self._undo[-MAX_UNDO + 1 :], list(self.rows)]
            self._redo = []
        self.version += 1
        self._checked = None

    def _step(self, here: list[list[Row]], there: list[list[Row]]) -> bool:
        if not here:
            return False
        there.append(list(self.rows))
        self.rows = here.pop()
        self.version += 1
        self._checked = None
        return True

    def _row(self, cells: Sequence[object]) -> Row:
        row = Row(self._next_id, as_cells(cells), len(cells) < 4 or bool(cells[3]))
        self._next_id += 1
        return row


def as_cells(cells: Sequence[object]) -> Cells:
    """Three strings on one line each, whatever came."""
    texts = [" ".join(str("" if cell is None else cell)[:MAX_TYPED].splitlines()) for cell in list(cells)[:3]]
    return tuple(texts + [""] * (3 - len(texts)))  # type: ignore[return-value]


def _holds(row: Row, words: list[str]) -> bool:
    text = "\n".join(row.cells).casefold()
    return all(word in text for word in words)


def _sort_key(text: str) -> list[tuple[int, float, str]]:
    """Numbers inside a text count as numbers: "Ward 9" comes before "Ward 10"."""
    parts = re.split(r"(\d+(?:\.\d+)?)", text.casefold()[:200])
    return [(0, float(part), "") if index % 2 else (1, 0.0, part) for index, part in enumerate(parts) if part]
