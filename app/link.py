"""A link that restores question, settings and a small table, all in the part of the address that never leaves the browser (#...).

Anyone can write such a link: what it holds is checked like a stranger's input and bounded before and after unpacking.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from dataclasses import dataclass

from app.draft import TableDraft
from app.samples import SAMPLES
from app.session import MAX_QUESTION
from kblam_core import AskOptions, InputError

PREFIX = "#kblam="
MAX_LINK = 6_000  # characters; longer addresses are cut by chats and mail programs
MAX_UNPACKED = 200_000  # bytes
MAX_ROWS = 1_000
BROKEN = "This link could not be read; it may have been cut off."
MAX_MODEL = 200  # characters of a model's name
LEAST, MOST = 0.05, 0.95  # of the threshold's slider


@dataclass(frozen=True)
class Shared:
    """What a link restores.

    sample: a key of SAMPLES, or rows: cells of a table, a fourth cell False leaving one out, or neither.
    model: name of the model that was chosen, "" in a link made before links named it.
    """

    question: str
    mode: str
    threshold: float
    sample: str | None = None
    rows: list[list] | None = None
    model: str = ""


def make_link(shared: Shared) -> str | None:
    """The fragment with its "#"; None when it would be too long."""
    content = {"v": 1, "q": shared.question, "m": shared.mode, "t": shared.threshold}
    if shared.model:
        content["n"] = shared.model[:MAX_MODEL]
    if shared.sample:
        content["s"] = shared.sample
    elif shared.rows is not None:
        if len(shared.rows) > MAX_ROWS:
            return None
        content["r"] = shared.rows
    packed = zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)
    link = PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return link if len(link) <= MAX_LINK else None


def plain_rows(draft: TableDraft) -> list[list]:
    """The rows of a draft as a link holds them."""
    return [[*row.cells] if row.included else [*row.cells, False] for row in draft.rows if any(row.cells)]


def read_link(fragment: object) -> Shared | None:
    """What the fragment holds; None when it is no such link. Raises InputError for one that is broken."""
    if not isinstance(fragment, str) or not fragment.startswith(PREFIX):
        return None
    if len(fragment) > MAX_LINK:
        raise InputError(BROKEN)
    text = fragment.removeprefix(PREFIX)
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        content = json.loads(unpacker.decompress(packed, MAX_UNPACKED))  # what goes beyond the limit is cut, then no JSON
        return _checked(content)
    except (binascii.Error, zlib.error, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(BROKEN) from None


def _checked(content: dict) -> Shared:
    """Raises ValueError, KeyError or TypeError for anything that `make_link` does not make."""
    question, mode, threshold = content["q"], content["m"], content["t"]
    if content["v"] != 1 or not isinstance(question, str) or len(question) > MAX_QUESTION:
        raise ValueError("question")
    if not isinstance(threshold, int | float) or not LEAST <= threshold <= MOST:
        raise ValueError("threshold")
    AskOptions(mode=mode)  # InputError is a ValueError, too
    sample, rows, model = content.get("s"), content.get("r"), content.get("n", "")
    if not isinstance(model, str) or len(model) > MAX_MODEL:
        raise ValueError("model")
    if sample is not None:
        return Shared(question, mode, float(threshold), sample=SAMPLES[sample].key, model=model)
    if rows is not None:
        if not isinstance(rows, list) or len(rows) > MAX_ROWS:
            raise ValueError("rows")
        for row in rows:
            if not isinstance(row, list) or len(row) not in (3, 4) or not all(isinstance(cell, str) for cell in row[:3]):
                raise ValueError("rows")
    return Shared(question, mode, float(threshold), rows=rows, model=model)
