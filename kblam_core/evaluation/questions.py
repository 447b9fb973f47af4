"""Evaluation questions from a JSON-lines file, and which of them a given table can be asked.

One object a line: {"question", "entity", "property", "answer", "kind"?}. "answer": null means that the table does not hold the
answer and the model must refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kblam_core.errors import InputError
from kblam_core.evaluation.metrics import is_correct
from kblam_core.table_format import parse_json_lines
from kblam_core.textfile import clean_cell, decode_text, read_bytes
from kblam_core.triples import Triple

_SHAPE = '{"question": "Who runs Halden?", "entity": "Halden", "property": "director", "answer": "Mara Lund"}'


@dataclass(frozen=True, slots=True)
class Question:
    """One question. answer: the gold value, or None when a refusal is right. kind: free label to report by."""

    question: str
    entity: str
    property: str
    answer: str | None
    kind: str = ""

    @property
    def answerable(self) -> bool:
        return self.answer is not None

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What identifies the facts asked for, case ignored."""
        return ((self.entity.casefold(), self.property.casefold()),)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that the person says."""
        return (self.question,)


def read_questions(path: str | Path) -> list[Question]:
    """Read a .jsonl (or .json list) of questions. Raises InputError naming the line that is wrong."""
    path = Path(path)
    text, _ = decode_text(read_bytes(path, what="questions"), name=path.name)
    items = parse_json_lines(text, path.name)
    return [_question(item, f"{path.name}, question {number}") for number, item in enumerate(items, start=1)]


def _question(item: object, where: str) -> Question:
    if not isinstance(item, dict):
        raise InputError(f"{where}: expected an object such as {_SHAPE}. Write one object a line.")
    item = {str(key).strip().casefold(): value for key, value in item.items()}
    missing = [key for key in ("question", "answer") if key not in item]
    if missing:
        found = ", ".join(list(item)[:8]) or "nothing"
        hint = 'Write "answer": null where the model must refuse.'
        raise InputError(f"{where}: found {found}, but {' and '.join(missing)} is needed. {hint}")
    for key in ("question", "entity", "property", "answer", "kind"):
        if isinstance(item.get(key), list | dict):
            raise InputError(f"{where}: {key} must be text, a number or null. Write one value there.")
    answer = item["answer"]
    texts = {key: clean_cell(item.get(key)) for key in ("question", "entity", "property", "kind")}
    if not texts["question"]:
        raise InputError(f"{where}: the question is empty. Write it out or remove the line.")
    if isinstance(answer, bool):
        answer = str(answer).lower()
    if answer is not None and not (answer := clean_cell(answer)):
        raise InputError(f"{where}: the answer is empty. Write the value, or null where the model must refuse.")
    if answer is not None and not (texts["entity"] and texts["property"]):
        raise InputError(f"{where}: entity and property are needed to know which fact answers. Add both.")
    return Question(texts["question"], texts["entity"], texts["property"], answer, texts["kind"])


def askable(questions: Sequence[Question], triples: Sequence[Triple]) -> tuple[list[Question], list[str]]:
    """(questions the table fits, notes): drops those whose gold fact is not in it, and "must refuse" ones that it answers."""
    values = {(triple.entity.casefold(), triple.property.casefold()): triple.value for triple in triples}
    kept, lost, answered = [], [], []
    for question in questions:
        value = values.get(question.keys[0])
        if question.answer is None:
            (answered if value is not None else kept).append(question)
        else:
            (kept if value is not None and is_correct(value, question.answer, refused=False) else lost).append(question)
    notes = []
    if lost:
        notes.append(f"{len(lost)} questions are left out: the table does not hold their fact, e.g. {lost[0].question!r}.")
    if answered:
        notes.append(f"{len(answered)} questions are left out: marked null, yet the table answers {answered[0].question!r}.")
    return kept, notes
