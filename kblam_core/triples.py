"""Facts as triples (entity, property, value), and the tables people keep them in: CSV, TSV, JSON, JSON lines, XLSX.

Reading never guesses silently: rows that cannot be used become `Problem`s beside the good triples; a file that cannot be
understood at all raises InputError with what was found and what is needed. Microsoft's KBLaM JSON (name, description_type,
description) is read too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kblam_core.errors import InputError
from kblam_core.spreadsheet import sheet_rows
from kblam_core.table_format import COLUMNS, NEEDED, csv_rows, json_rows, picked_rows, short
from kblam_core.textfile import clean_cell, decode_text, read_bytes, write_text

MAX_ROWS = 20_000
MAX_CELL = 2_000
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx")
_NO = frozenset({"no", "false", "0"})


@dataclass(frozen=True, slots=True)
class Triple:
    """One fact. `key_text` is what a question is matched with, `value_text` is what the answer says."""

    entity: str
    property: str
    value: str

    @property
    def key_text(self) -> str:
        return f"the {self.property} of {self.entity}"

    @property
    def value_text(self) -> str:
        return self.value


@dataclass(frozen=True)
class Problem:
    """A remark on one row. row: 1-based data row, header not counted; 0 when it is about the whole table.

    kind: "empty_cell" | "duplicate" | "too_long" | "too_many_rows" | "extra_columns" | "encoding".
    columns: the columns it is about (0 entity, 1 property, 2 value); empty when it is about the whole row or table.
    """

    row: int
    kind: str
    message: str
    columns: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """The usable triples of a table, in its order, and what was wrong with the rest.

    left_out: complete rows whose column "included" says no; they are no facts for the model.
    """

    triples: list[Triple]
    problems: list[Problem]
    left_out: tuple[Triple, ...] = ()


def clean_rows(rows: Iterable[Sequence[object]], *, max_rows: int = MAX_ROWS) -> Table:
    """Turn raw rows into triples; never raises for the content of a cell.

    Cells are stripped and brought to Unicode NFC. Wholly empty rows vanish; rows with an empty or over-long cell are left
    out with a problem; of rows with the same entity and property (case ignored) the last one wins, with a problem.
    """
    kept: dict[tuple[str, str], tuple[int, Triple]] = {}
    problems: list[Problem] = []
    used = left_out = 0
    for number, row in enumerate(rows, start=1):
        cells = [clean_cell(cell) for cell in list(row)[:3]]
        cells += [""] * (3 - len(cells))
        if not any(cells):
            continue
        if used >= max_rows:
            left_out += 1
            continue
        missing = [column for column, cell in zip(COLUMNS, cells, strict=True) if not cell]
        long = [column for column, cell in zip(COLUMNS, cells, strict=True) if len(cell) > MAX_CELL]
        if missing:
            text = f"Row {number} has no {' and no '.join(missing)}, so it is left out. Fill the cell to use the row."
            problems.append(Problem(number, "empty_cell", text, _places(missing)))
            continue
        if long:
            text = f"Row {number}: the {long[0]} is longer than {MAX_CELL:,} characters, so the row is left out. Shorten it."
            problems.append(Problem(number, "too_long", text, _places(long)))
            continue
        used += 1
        triple = Triple(*cells)
        key = (triple.entity.casefold(), triple.property.casefold())
        if key in kept:
            earlier, _ = kept.pop(key)
            text = f"Rows {earlier} and {number} both give the {triple.property} of {triple.entity}; row {number} wins."
            problems.append(Problem(earlier, "duplicate", text, (0, 1)))
        kept[key] = (number, triple)
    if left_out:
        text = f"The table has {used + left_out:,} rows; the first {max_rows:,} are used and {left_out:,} are left out."
        problems.append(Problem(0, "too_many_rows", text))
    return Table([triple for _, triple in kept.values()], problems)


def _places(names: list[str]) -> tuple[int, ...]:
    return tuple(COLUMNS.index(name) for name in names)


def read_table(path: str | Path, *, max_rows: int = MAX_ROWS) -> Table:
    """Read a table file by its suffix. Raises InputError for a file that is missing, broken or has other columns."""
    path = Path(path)
    return parse_table(read_bytes(path, what="table"), name=path.name, max_rows=max_rows)


def parse_table(data: bytes, *, name: str, max_rows: int = MAX_ROWS) -> Table:
    """The same for content already in memory; `name` gives the suffix and stands in the messages."""
    suffix = Path(name).suffix.lower()
    if suffix not in (*SUFFIXES, "", ".txt"):
        raise InputError(f"{name}: tables are read from .csv, .tsv, .json, .jsonl and .xlsx files. Save it as one of these.")
    if suffix == ".xlsx":
        note = None
        rows, extra = picked_rows(sheet_rows(data, name), name)
    else:
        text, note = decode_text(data, name=name)
        looks_json = suffix in ("", ".txt") and text.lstrip()[0] in "[{"
        if suffix in (".json", ".jsonl") or looks_json:
            rows, extra = json_rows(text, name, lines=suffix == ".jsonl")
        else:
            rows, extra = csv_rows(text, name, tab_first=suffix == ".tsv")
    problems = [Problem(0, "encoding", note)] if note else []
    if extra:
        names = ", ".join(short(column) for column in extra[:8])
        problems.append(Problem(0, "extra_columns", f"{name}: ignored the extra columns {names}; only {NEEDED} are used."))
    unticked = [len(row) > 3 and clean_cell(row[3]).casefold() in _NO for row in rows]
    left_out = clean_rows([row for row, off in zip(rows, unticked, strict=True) if off], max_rows=max_rows).triples
    # An empty line in its place keeps the row numbers in the problems right.
    table = clean_rows([() if off else row for row, off in zip(rows, unticked, strict=True)], max_rows=max_rows)
    return Table(table.triples, problems + table.problems, tuple(left_out))


def triples_to_csv(triples: Iterable[Triple]) -> str:
    """CSV text with a header line, as `read_table` reads it."""
    return _separated(triples, ",")


def write_table(triples: Iterable[Triple], path: str | Path) -> None:
    """Write .csv, .tsv, .json or .jsonl by the suffix of `path`. Raises InputError."""
    suffix = Path(path).suffix.lower()
    triples = list(triples)
    rows = [{column: getattr(triple, column) for column in COLUMNS} for triple in triples]
    if suffix in (".csv", ".tsv"):
        text = _separated(triples, "\t" if suffix == ".tsv" else ",")
    elif suffix == ".json":
        text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    elif suffix == ".jsonl":
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        raise InputError(f"Tables are written to .csv, .tsv, .json and .jsonl files, not {Path(path).name!r}. Rename it.")
    write_text(path, text, what="table")


def _separated(triples: Iterable[Triple], delimiter: str) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((triple.entity, triple.property, triple.value) for triple in triples)
    return buffer.getvalue()
