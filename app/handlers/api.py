"""The public endpoint /ask: the same answer as the command `python -m kblam_core ask --json`."""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr

from app.draft import MAX_ROWS
from app.host import ModelHost, answer
from app.session import MAX_QUESTION
from app.texts import say
from kblam_core import AskOptions, InputError, KblamError, clean_rows

log = logging.getLogger("app")
COLUMNS = ("entity", "property", "value")


def as_rows(triples: object) -> list[list[str]]:
    """Rows of three strings from [[entity, property, value], ...] or [{"entity": ..., ...}, ...]. Raises InputError."""
    expected = 'expected a list of ["entity", "property", "value"] rows'
    if not isinstance(triples, list):
        raise InputError(f"triples: {expected}, not {type(triples).__name__}.")
    rows = []
    for number, row in enumerate(triples, start=1):
        if isinstance(row, dict):
            row = [row.get(column, "") for column in COLUMNS]
        if not isinstance(row, (list, tuple)) or len(row) != 3:
            raise InputError(f"triples, row {number}: {expected}.")
        rows.append(["" if cell is None else str(cell) for cell in row])
    return rows


def make_ask(host: ModelHost):
    """The endpoint's function, bound to the model of this process."""

    def ask(question: str, triples: list[list[str]], mode: str = "kblam") -> dict[str, Any]:
        """Answer a question from the facts given with it.

        Args:
            question: The question, in English.
            triples: The facts as [entity, property, value] rows.
            mode: kblam, paper, no-copy, no-prior, no-reader or no-shortlist.
        """
        try:
            question = str(question or "").strip()
            if not question:
                raise InputError(say("en", "empty_question"))
            if len(question) > MAX_QUESTION:
                raise InputError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} fit. Shorten it.")
            facts = clean_rows(as_rows(triples), max_rows=MAX_ROWS).triples
            options = AskOptions(mode=mode)
            host.start()
            while not host.wait(1.0):
                pass
            if host.state == "failed":
                raise KblamError(host.reason or say("en", "generic_error"))
            return answer(host.key, facts, question, options).to_dict()
        except KblamError as error:
            raise gr.Error(str(error), print_exception=False) from None
        except Exception:
            log.exception("The API call failed")
            raise gr.Error(say("en", "generic_error"), print_exception=False) from None

    return ask
