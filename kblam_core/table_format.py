"""The raw rows of a table file: finds the three columns in CSV, TSV, JSON and JSON lines, or says what is wrong.

Columns may come in any order and case; extra ones are returned to be mentioned. Cells are not judged here (triples.py does).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from kblam_core.errors import InputError
from kblam_core.textfile import clean_cell

COLUMNS = ("entity", "property", "value")
NEEDED = "entity, property, value"
INCLUDED = "included"  # an optional fourth column; "no" keeps the row from the model
_OFFICIAL = ("name", "description_type", "description")  # Microsoft's KBLaM data sets


def csv_rows(text: str, name: str, *, tab_first: bool) -> tuple[list[list[str]], list[str]]:
    delimiters = "\t,;" if tab_first else ",;\t"
    headers = {mark: _header(text, mark, name) for mark in delimiters}
    delimiter = next((mark for mark, header in headers.items() if _pick(header)), None)
    if delimiter is None:
        widest = max(headers.values(), key=len)
        raise InputError(_wrong_columns(name, widest, "The first line must name them."))
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            rows.append(row)
            start = reader.line_num + 1
    except csv.Error as error:
        if "field larger" in str(error):
            problem = f"{name}: a cell in the row that starts on line {start} is over {csv.field_size_limit():,} characters long"
            raise InputError(f"{problem}. Shorten it, or close a quote left open there.") from None
        raise InputError(broken_quotes(name, f"the row that starts on line {start}")) from None
    first = next(number for number, row in enumerate(rows) if any(cell.strip() for cell in row))
    return picked_rows(rows[first:], name)


def picked_rows(lines: Sequence[Sequence[str]], name: str) -> tuple[list[list[str]], list[str]]:
    """The needed cells of each row below the header `lines[0]`, and the names of the other columns. Raises InputError."""
    places, extra = _columns(lines[0], name)
    return [[row[place] if place < len(row) else "" for place in places] for row in lines[1:]], extra


def _header(text: str, delimiter: str, name: str) -> list[str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return next(row for row in reader if any(cell.strip() for cell in row))
    except csv.Error:
        raise InputError(broken_quotes(name, "the header line")) from None
    except StopIteration:  # nothing but delimiters
        return []


def broken_quotes(name: str, where: str) -> str:
    return f'{name}: the quotes do not match in {where}. Close the quote there, or double the quotes inside the cell ("").'


def json_rows(text: str, name: str, *, lines: bool) -> tuple[list[list[str]], list[str]]:
    items = parse_json(text, name, lines=lines)
    shape = f'a list of objects such as {{"entity": "...", "property": "...", "value": "..."}} (keys {NEEDED})'
    if not isinstance(items, list):
        raise InputError(f"{name}: expected {shape}, but the file holds {kind(items)}. Rewrite it in that shape.")
    if not items:
        raise InputError(f"{name} holds no facts. Expected {shape}.")
    rows: list[list[str]] = []
    extra: dict[str, None] = {}
    for number, item in enumerate(items, start=1):
        if isinstance(item, list) and len(item) == 3:
            cells = item
        elif isinstance(item, dict):
            header = list(item)
            places, more = _columns(header, name, where=f", item {number}")
            extra.update(dict.fromkeys(more))
            cells = [item[header[place]] for place in places]
        else:
            raise InputError(f"{name}: expected {shape}, but item {number} is {kind(item)}. Rewrite it in that shape.")
        for column, cell in zip(COLUMNS, cells, strict=False):  # there may be an "included" after them
            if isinstance(cell, list | dict):
                raise InputError(f"{name}: the {column} of item {number} is {kind(cell)}; it must be text or a number.")
        rows.append([str(cell).lower() if isinstance(cell, bool) else clean_cell(cell) for cell in cells])
    return rows, list(extra)


def parse_json(text: str, name: str, *, lines: bool) -> object:
    """The content of a JSON or JSON lines file; of {"triples": [...]} the list. Raises InputError."""
    items = parse_json_lines(text, name) if lines else _parse_json(text, name)
    if isinstance(items, dict) and len(lists := [value for value in items.values() if isinstance(value, list)]) == 1:
        return lists[0]
    return items


def parse_json_lines(text: str, name: str) -> list[object]:
    """One JSON value a line, empty lines skipped; a file that is one JSON list is taken as that list. Raises InputError."""
    if text.lstrip().startswith("["):
        try:
            whole = _loads(text)
            if isinstance(whole, list) and not all(isinstance(item, str) for item in whole):
                return whole
        except (ValueError, RecursionError):
            pass
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                items.append(_loads(line))
            except (ValueError, RecursionError) as error:
                reason = getattr(error, "msg", "it is nested too deeply")
                raise InputError(f"{name}: line {number} is not valid JSON ({reason}). Each line must be one object.") from None
    return items


def _parse_json(text: str, name: str) -> object:
    try:
        return _loads(text)
    except json.JSONDecodeError as error:
        try:
            return parse_json_lines(text, name)  # JSON lines under a .json name
        except InputError:
            place = f"line {error.lineno}, column {error.colno}"
            raise InputError(f"{name} is not valid JSON ({error.msg} at {place}). Correct it there.") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not usable JSON (nested too deeply). Expected a flat list of objects.") from None


def _loads(text: str) -> object:
    return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)  # 1.10 stays "1.10"


def _pick(header: Sequence[str]) -> list[int] | None:
    names = [clean_cell(column).casefold() for column in header]
    for wanted in (COLUMNS, _OFFICIAL):
        if all(column in names for column in wanted):
            return [names.index(column) for column in wanted]
    return None


def _columns(header: Sequence[str], name: str, *, where: str = "") -> tuple[list[int], list[str]]:
    places = _pick(header)
    if places is None:
        raise InputError(_wrong_columns(name + where, header, "Rename them."))
    names = [clean_cell(column).casefold() for column in header]
    twice = next((header[place] for place in places if names.count(names[place]) > 1), None)
    if twice is not None:
        raise InputError(f"{name}: the column {short(twice)} is there twice. Remove or rename one of the two.")
    if INCLUDED in names and names.index(INCLUDED) not in places:
        places = [*places, names.index(INCLUDED)]
    return places, [column for place, column in enumerate(header) if place not in places and clean_cell(column)]


def _wrong_columns(name: str, header: Sequence[str], advice: str) -> str:
    found = ", ".join(short(column) for column in header[:12]) or "none"
    return f"{name}: found the columns {found}; needed are {NEEDED}. {advice}"


def short(text: str) -> str:
    text = clean_cell(text)
    text = text if len(text) <= 40 else text[:39] + "…"
    return text.replace("\n", " ") or "(no name)"


def kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text or number", bool: "true or false"}
    return kinds.get(type(value), "null")
