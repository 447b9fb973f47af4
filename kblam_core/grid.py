"""A table file whose columns are not entity, property and value: its raw cells, and two ways to read facts out of them.

long   one fact a row: three of the columns are the entity, the property and the value
wide   one entity a row: one column names it, every other column is a property named by its header
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kblam_core.errors import InputError
from kblam_core.spreadsheet import sheet_rows
from kblam_core.table_format import broken_quotes, kind, parse_json
from kblam_core.textfile import clean_cell, decode_text
from kblam_core.triples import MAX_ROWS, Table, clean_rows

MAX_COLUMNS = 256
_PROPERTY_NAMES = frozenset({"property", "attribute", "relation", "predicate", "key", "field", "description_type", "свойство"})


@dataclass(frozen=True)
class Grid:
    """columns: one name each, never empty. rows: as many cells as columns."""

    columns: list[str]
    rows: list[list[str]]

    def long(self, entity: int, property: int, value: int, *, max_rows: int = MAX_ROWS) -> Table:
        """One fact a row. Raises InputError for columns that are not there or the same twice."""
        places = (entity, property, value)
        if len(set(places)) < 3 or not all(0 <= place < len(self.columns) for place in places):
            raise InputError("Choose three different columns for the entity, the property and the value.")
        return clean_rows(([row[place] for place in places] for row in self.rows), max_rows=max_rows)

    def wide(self, entity: int, *, max_rows: int = MAX_ROWS) -> Table:
        """One fact for each filled cell beside the entity. Raises InputError without such a column."""
        if not 0 <= entity < len(self.columns) or len(self.columns) < 2:
            raise InputError("Choose the column that names the entity; the others become its properties.")
        facts = (
            [row[entity], column, row[place]]
            for row in self.rows
            for place, column in enumerate(self.columns)
            if place != entity and clean_cell(row[place])
        )
        return clean_rows(facts, max_rows=max_rows)

    def without_header(self) -> Grid:
        """The same cells for a file whose first line is a row already."""
        return _grid([], [self.columns, *self.rows])

    def looks_wide(self) -> bool:
        """A guess: wide, unless a column is named like a property or one entity stands in several rows."""
        if len(self.columns) < 3:
            return True
        if any(clean_cell(column).casefold() in _PROPERTY_NAMES for column in self.columns):
            return False
        first = [row[0] for row in self.rows]
        return len(set(first)) == len(first)


def read_grid(data: bytes, *, name: str) -> Grid:
    """The cells of a CSV, TSV, JSON, JSONL or XLSX file, the first line taken as the column names. Raises InputError."""
    suffix = Path(name).suffix.lower()
    if suffix == ".xlsx":
        lines = sheet_rows(data, name)
    else:
        text, _ = decode_text(data, name=name)
        if suffix in (".json", ".jsonl") or (suffix in ("", ".txt") and text.lstrip()[0] in "[{"):
            lines = _json_lines(parse_json(text, name, lines=suffix == ".jsonl"), name)
        else:
            lines = _csv_lines(text, name)
    if len(lines) < 2 or max(map(len, lines)) < 2:
        raise InputError(f"{name} holds no table with two columns and a row below their names. Choose another file.")
    return _grid(lines[0], lines[1:])


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    width = min(max(len(columns), *map(len, rows)), MAX_COLUMNS)
    names = [clean_cell(columns[place]) if place < len(columns) else "" for place in range(width)]
    filled = [[row[place] if place < len(row) else "" for place in range(width)] for row in rows]
    used = [place for place in range(width) if names[place] or any(row[place] for row in filled)]
    return Grid(
        [names[place] or f"column {place + 1}" for place in used],
        [[row[place] for place in used] for row in filled],
    )


def _csv_lines(text: str, name: str) -> list[list[str]]:
    best: list[list[str]] = []
    for delimiter in ",;\t|":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            lines = [[clean_cell(cell) for cell in row] for row in reader if any(cell.strip() for cell in row)]
        except csv.Error:
            continue
        if lines and (not best or len(lines[0]) > len(best[0])):
            best = lines
    if not best:
        raise InputError(broken_quotes(name, "one of its lines"))
    return best


def _json_lines(items: object, name: str) -> list[list[str]]:
    if not isinstance(items, list) or not items or not all(isinstance(item, dict | list) for item in items):
        raise InputError(f"{name}: expected a list of objects or of rows, but the file holds {kind(items)}. Rewrite it in that shape.")
    if all(isinstance(item, list) for item in items):
        return [[_plain(cell) for cell in item] for item in items]
    if not all(isinstance(item, dict) for item in items):
        raise InputError(f"{name} mixes objects and rows. Use one of the two for all items.")
    columns = list(dict.fromkeys(key for item in items for key in item))
    return [columns, *([_plain(item.get(column)) for column in columns] for item in items)]


def _plain(cell: object) -> str:
    if isinstance(cell, dict | list):
        return clean_cell(json.dumps(cell, ensure_ascii=False))
    return str(cell).lower() if isinstance(cell, bool) else clean_cell(cell)
