"""Evaluation questions from a JSON-lines file, and which of them a given table can be asked.

One object a line: {"question", "entity", "property", "answer", "kind"?, "history"?}. "answer": null means that the table does not hold the
answer and the model must refuse; a list of values means that all of them are asked for (then entity and property may be lists too, one
for each value). "history" holds the turns before the question: [["Who runs Halden?", "Mara Lund."], ...].
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
    """One question. answer: the gold value, several values, or None when a refusal is right. kind: free label to report by.

    entity, property: of the fact that answers, or one for each of several values. history: earlier (question, answer) turns, oldest first.
    """

    question: str
    entity: str | tuple[str, ...]
    property: str | tuple[str, ...]
    answer: str | tuple[str, ...] | None
    kind: str = ""
    history: tuple[tuple[str, str], ...] = ()

    @property
    def answerable(self) -> bool:
        return self.answer is not None

    @property
    def golds(self) -> tuple[str, ...]:
        """The values that must all be in the answer; none when a refusal is right."""
        return () if self.answer is None else _several(self.answer)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What identifies the facts asked for, case ignored; one for each gold value."""
        entities, properties = _several(self.entity), _several(self.property)
        count = max(len(entities), len(properties))
        pairs = zip(entities * (count if len(entities) == 1 else 1), properties * (count if len(properties) == 1 else 1), strict=True)
        return tuple((entity.casefold(), property_.casefold()) for entity, property_ in pairs)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that was said up to and with the question."""
        return (*(text for turn in self.history for text in turn), self.question)


def _several(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def read_questions(path: str | Path) -> list[Question]:
    """Read a .jsonl (or .json list) of questions. Raises InputError naming the line that is wrong."""
    path = Path(path)
    text, _ = decode_text(read_bytes(path, what="questions"), name=path.name)
    items = parse_json_lines(text, path.name)
    return [_question(item, f"{path.name}, question {number}") for number, item in enumerate(items, start=1)]


def read_asked(path: str | Path) -> tuple[list[str], list[tuple[tuple[str, str], ...]]]:
    """(questions, their histories) of a file to be answered, not judged: the same form, of which "question" alone is needed; or plain
    text (.txt), one question a line. Raises InputError naming the line that is wrong."""
    path = Path(path)
    text, _ = decode_text(read_bytes(path, what="questions"), name=path.name)
    if path.suffix.lower() == ".txt":
        items: list[object] = [{"question": line} for line in text.splitlines() if line.strip()]
    else:
        items = parse_json_lines(text, path.name)
    questions, histories = [], []
    for number, item in enumerate(items, start=1):
        where = f"{path.name}, question {number}"
        question = item.get("question") if isinstance(item, dict) else None
        if not isinstance(question, str) or not question.strip():
            raise InputError(
                f'{where}: expected {{"question": "Who runs Halden?"}}. Write one object a line, or plain text in a .txt file.'
            )
        questions.append(clean_cell(question))
        histories.append(_history(item.get("history"), where))
    return questions, histories


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
        many = key in ("entity", "property", "answer")
        if _nested(item.get(key), lists=many):
            raise InputError(f"{where}: {key} must be text, a number or null{', or a list of them' if many else ''}. Write it so.")
    question, kind = clean_cell(item["question"]), clean_cell(item.get("kind"))
    entity, property_ = (_cells(item.get(key)) or "" for key in ("entity", "property"))
    answer = _cells(item["answer"])
    if not question:
        raise InputError(f"{where}: the question is empty. Write it out or remove the line.")
    if answer is not None and not all(answer if isinstance(answer, tuple) else [answer]):
        raise InputError(f"{where}: the answer is empty. Write the value, or null where the model must refuse.")
    if answer is not None and not all((*_several(entity), *_several(property_))):
        raise InputError(f"{where}: entity and property are needed to know which fact answers. Add both.")
    counts = {len(_several(value)) for value in (entity, property_, answer) if isinstance(value, tuple)} - {1}
    if len(counts) > 1 or (counts and answer is not None and len(_several(answer)) not in counts):
        raise InputError(f"{where}: several values need one entity and one property each, or one for all. Make the lists equally long.")
    return Question(question, entity, property_, answer, kind, _history(item.get("history"), where))


def _nested(value: object, *, lists: bool) -> bool:
    """Whether a value is more than text or number; with `lists`, a flat list that is not empty is allowed."""
    if lists and isinstance(value, list):
        return not value or any(part is None or isinstance(part, list | dict) for part in value)
    return isinstance(value, list | dict)


def _cells(value: object) -> str | tuple[str, ...] | None:
    if isinstance(value, list):
        return tuple(str(_cells(part)) for part in value)
    return None if value is None else clean_cell(str(value).lower() if isinstance(value, bool) else value)


def _history(turns: object, where: str) -> tuple[tuple[str, str], ...]:
    turns = [] if turns is None else turns
    pairs = isinstance(turns, list) and all(
        isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) and text.strip() for text in turn) for turn in turns
    )
    if not pairs:
        raise InputError(f'{where}: history must be a list of turns such as [["Who runs Halden?", "Mara Lund."]]. Write pairs of texts.')
    return tuple((asked.strip(), answered.strip()) for asked, answered in turns)


def askable(questions: Sequence[Question], triples: Sequence[Triple]) -> tuple[list[Question], list[str]]:
    """(questions the table fits, notes): drops those whose gold fact is not in it, and "must refuse" ones that it answers."""
    values = {(triple.entity.casefold(), triple.property.casefold()): triple.value for triple in triples}
    kept, lost, answered = [], [], []
    for question in questions:
        found = [values.get(key) for key in question.keys]
        if question.answer is None:
            (answered if None not in found else kept).append(question)
        else:
            pairs = zip(found, question.golds, strict=True)
            holds = all(value is not None and is_correct(value, gold, refused=False) for value, gold in pairs)
            (kept if holds else lost).append(question)
    notes = []
    if lost:
        notes.append(f"{len(lost)} questions are left out: the table does not hold their fact, e.g. {lost[0].question!r}.")
    if answered:
        notes.append(f"{len(answered)} questions are left out: marked null, yet the table answers {answered[0].question!r}.")
    return kept, notes
