"""Text files as people really have them: any common encoding in, one clear error out.

Shared by the tables (triples.py) and the evaluation questions. UTF-8 with or without a byte order mark and UTF-16 with one are
read as they are; anything else is read as Windows-1252 (a superset of Latin-1 in print) and the caller gets a note to show.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from pathlib import Path

from kblam_core.errors import InputError

_SPREADSHEET = b"PK\x03\x04"
_INVISIBLE = "\ufeff\u200b\u2060"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def clean_cell(cell: object) -> str:
    """Text of one cell: NFC, without control characters, lone surrogates and outer white space; None and NaN are empty."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    text = cell if isinstance(cell, str) else str(cell)
    text = _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", _CONTROL.sub(" ", text))
    while True:  # white space and invisible marks may alternate at the ends
        shorter = text.strip().strip(_INVISIBLE)
        if shorter == text:
            return text
        text = shorter


def read_bytes(path: str | Path, *, what: str) -> bytes:
    """The content of the file; `what` names it in the error, for example "table". Raises InputError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise InputError(f"Expected a {what} file, but {path} is a folder. Name a file inside it.")
        return path.read_bytes()
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"There is no {what} file at {path}. Check the spelling and the folder.") from None
    except PermissionError:
        raise InputError(f"The {what} file {path} may not be read. Change its permissions or copy it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The {what} file {str(path)!r} cannot be read: {reason}.") from None


def decode_text(data: bytes, *, name: str) -> tuple[str, str | None]:
    """(text, note): the note is a sentence to show when the encoding had to be assumed. Raises InputError."""
    if not data.strip():
        raise InputError(f"{name} is empty. It needs at least a header line and one row.")
    if data.startswith(_SPREADSHEET):
        raise InputError(f"{name} is a spreadsheet or zip file, not text. Save the sheet as .xlsx or CSV (UTF-8) and use that file.")
    note = None
    try:
        if data.startswith(_UTF16):
            text = data.decode("utf-16")
        elif b"\x00" in data:
            raise InputError(f"{name} contains NUL bytes, so it is not plain text. Save it as UTF-8 text and try again.")
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.encoding.startswith("utf-16"):
            raise InputError(f"{name} is broken UTF-16 text. Save it as UTF-8 and try again.") from None
        text = data.decode("cp1252", errors="replace")
        note = f"{name} is not UTF-8; it was read as Windows-1252 (Latin-1). If letters look wrong, save it as UTF-8."
    text = text.lstrip("\ufeff")
    if "\x00" in text:
        raise InputError(f"{name} contains NUL characters, so it is not plain text. Save it as UTF-8 text and try again.")
    if not text.strip():
        raise InputError(f"{name} is empty. It needs at least a header line and one row.")
    return text, note


def write_text(path: str | Path, text: str, *, what: str) -> None:
    """Write UTF-8 text with \\n line ends, making missing folders. Raises InputError."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The {what} cannot be written to {path}: {reason}. Name a file in a folder you may write to.") from None
