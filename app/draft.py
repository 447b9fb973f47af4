"""The table a visitor edits: rows with stable ids, undo, search and pages. The editor shows a page; all rows live here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kblam_core import Problem, Table, Triple, clean_rows

PAGE_SIZE = 50
MAX_ROWS = 20_000
MAX_UNDO = 30
MAX_TYPED = 20_000  # characters kept of one cell: more than a fact may have, so that its problem can be shown
Cells = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the editor. `id` stays the same while the row lives, whatever is added above it."""

    id: int
    cells: Cells


@dataclass
class TableDraft:
    """All rows as typed, in order. Rows are immutable, so that an undo step is a plain copy of the list."""

    rows: list[Row] = field(default_factory=list)
    query: str = ""
    page: int = 0
    version: int = 0
    _next_id: int = 1
    _undo: list[list[Row]] = field(default_factory=list)
    _checked: tuple[int, Table] | None = None

    # -- changes ----------------------------------------------------------------------------------------------------

    def replace(self, rows: Iterable[Sequence[object]], *, undoable: bool = True) -> None:
        """Put a whole new table in place of this one."""
        self._change(undoable)
        self.rows = [self._row(cells) for cells in rows]
        self.query, self.page = "", 0

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
        self.rows = [Row(row.id, wanted[row.id]) if row.id in changed else row for row in self.rows]
        return True

    def delete(self, ids: Iterable[int]) -> None:
        gone = set(ids)
        if any(row.id in gone for row in self.rows):
            self._change()
            self.rows = [row for row in self.rows if row.id not in gone]

    def add_row(self) -> int:
        """A new empty row at the end, shown at once; returns its id. An empty last row is used again."""
        if not self.rows or any(self.rows[-1].cells):
            self._change()
            self.rows.append(self._row(("", "", "")))
        self.show_end()
        return self.rows[-1].id

    def paste(self, start_id: int, column: int, block: Sequence[Sequence[str]]) -> None:
        """Lay a block of pasted cells over the table from one cell on, adding rows at the end as needed."""
        self._change()
        at = next((index for index, row in enumerate(self.rows) if row.id == start_id), len(self.rows))
        for offset, line in enumerate(block):
            if at + offset == len(self.rows):
                self.rows.append(self._row(("", "", "")))
            row = self.rows[at + offset]
            cells = list(row.cells)
            for shift, text in enumerate(line[: 3 - column]):
                cells[column + shift] = text
            self.rows[at + offset] = Row(row.id, as_cells(cells))

    def undo(self) -> bool:
        """Take back the last change. False when there is none."""
        if not self._undo:
            return False
        self.rows = self._undo.pop()
        self.version += 1
        self._checked = None
        return True

    def forget_undo(self) -> None:
        """Make the table as it is now the oldest one that undo knows."""
        self._undo = []

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    # -- views ------------------------------------------------------------------------------------------------------

    def check(self) -> Table:
        """The usable facts and the problems of all rows, worked out once per change."""
        if self._checked is None or self._checked[0] != self.version:
            self._checked = (self.version, clean_rows((row.cells for row in self.rows), max_rows=MAX_ROWS))
        return self._checked[1]

    def triples(self) -> list[Triple]:
        return self.check().triples

    def problems(self) -> list[Problem]:
        return self.check().problems

    def found(self) -> list[tuple[int, Row]]:
        """(row number from 1, row) of every row that holds all words of the search."""
        words = self.query.casefold().split()
        numbered = enumerate(self.rows, start=1)
        if not words:
            return list(numbered)
        return [(number, row) for number, row in numbered if _holds(row, words)]

    def pages(self) -> int:
        return max(1, -(-len(self.found()) // PAGE_SIZE))

    def visible(self) -> list[tuple[int, Row]]:
        """The rows of the page on show; the page number is brought back into range."""
        found = self.found()
        self.page = min(max(self.page, 0), max(0, (len(found) - 1) // PAGE_SIZE))
        start = self.page * PAGE_SIZE
        return found[start : start + PAGE_SIZE]

    def marks(self) -> dict[int, str]:
        """Row id -> what is wrong with it in words, for the rows that have a problem."""
        return {self.rows[problem.row - 1].id: problem.message for problem in self.problems() if 0 < problem.row <= len(self.rows)}

    def search(self, query: str) -> None:
        self.query, self.page = query.strip()[:200], 0

    def show_end(self) -> None:
        self.query = ""
        self.page = max(0, (len(self.rows) - 1) // PAGE_SIZE)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _change(self, undoable: bool = True) -> None:
        if undoable:
            self._undo = [*self._undo[-MAX_UNDO + 1 :], list(self.rows)]
        self.version += 1
        self._checked = None

    def _row(self, cells: Sequence[object]) -> Row:
        row = Row(self._next_id, as_cells(cells))
        self._next_id += 1
        return row


def as_cells(cells: Sequence[object]) -> Cells:
    """Three strings on one line each, whatever came."""
    texts = [" ".join(str("" if cell is None else cell)[:MAX_TYPED].splitlines()) for cell in list(cells)[:3]]
    return tuple(texts + [""] * (3 - len(texts)))  # type: ignore[return-value]


def _holds(row: Row, words: list[str]) -> bool:
    text = "\n".join(row.cells).casefold()
    return all(word in text for word in words)
