"""The cells of an Excel workbook (.xlsx) as text: the first sheet that holds anything, values as they were last calculated."""

from __future__ import annotations

import datetime
import io
import zipfile
from itertools import islice

from kblam_core.errors import InputError
from kblam_core.textfile import clean_cell

MAX_UNPACKED = 200_000_000  # bytes; a small file can unpack to a very large one
MAX_LINES = 100_000
MAX_COLUMNS = 256


def sheet_rows(data: bytes, name: str) -> list[list[str]]:
    """Rows of text, empty ones left out. Raises InputError for a file that is no workbook, too large or empty."""
    from openpyxl import load_workbook  # late: only spreadsheets need it

    try:
        unpacked = sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except zipfile.BadZipFile:
        raise InputError(f"{name} is not an Excel workbook. Save it as .xlsx or CSV and try again.") from None
    if unpacked > MAX_UNPACKED:
        raise InputError(f"{name} unpacks to over {MAX_UNPACKED // 1_000_000} MB. Keep only the sheet with the facts, or save it as CSV.")
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its own size is often wrong
            lines = islice(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), MAX_LINES)
            rows = [row for line in lines if any(row := [_text(cell) for cell in line])]
            if rows:
                return rows
    except Exception as error:  # openpyxl lets through whatever its parts raise: KeyError, ParseError, ValueError, BadZipFile
        raise InputError(f"{name} could not be read as an Excel workbook ({type(error).__name__}). Save it again, or as CSV.") from None
    raise InputError(f"{name} is empty. It needs at least a header line and one row.")


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat(*([" "] if isinstance(cell, datetime.datetime) else []))
    return clean_cell(cell)
