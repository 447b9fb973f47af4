"""People's tables: facts with questions that writers typed as people do, read from people/. The generator's questions teach what
spelling and sentence vectors mean; these teach how people really ask, name things by a part, and ask for what is not there.

Each table is asked whole, and again in part: what is left out of it is asked in vain. So one question is answered in one table and
refused in another that looks much like it.
"""

import json
import random
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path

from kblam_core.training.generator import Sample
from kblam_core.training.padding import rare_words
from kblam_core.triples import Triple

FOLDER = Path(__file__).parent / "people"
KEPT = (0.5, 0.7, 0.85)  # share of a table's entities that a part of it keeps
LOST = (0.1, 0.2, 0.35)  # share of the facts of those that it loses
FEWEST = 4  # facts of a part


@dataclass(frozen=True)
class Asked:
    """A question on a whole table. kind: answerable, missing_property, near_miss or missing_entity; entity, property: what it asks for."""

    kind: str
    question: str
    entity: str
    property: str


@dataclass(frozen=True)
class PeopleTable:
    """Facts and what people asked of them. left_out: the cross-encoder does not see it, so the prior meets it as it meets any table."""

    name: str
    triples: tuple[Triple, ...]
    asked: tuple[Asked, ...]
    left_out: bool


@lru_cache(maxsize=1)
def load_people() -> tuple[PeopleTable, ...]:
    """All tables, in the order of their names; a third of them lie in left_out."""
    return tuple(_read(path) for path in _files())


def people_checksum() -> int:
    """Changes when any of the files does."""
    return reduce(lambda total, path: zlib.crc32(path.read_bytes(), total), _files(), 0)


def people_samples(tables: Sequence[PeopleTable], *, parts: int, seed: int) -> list[list[Sample]]:
    """The questions on each table whole and on `parts` parts of it; samples of one list share their table."""
    draw = random.Random(seed)
    groups = []
    for table in tables:
        groups.append(_samples(table, table.triples))
        for _ in range(parts):
            part = _part(table.triples, draw)
            if len(part) >= FEWEST:
                groups.append(_samples(table, part))
    return [group for group in groups if group]


def _part(triples: Sequence[Triple], draw: random.Random) -> tuple[Triple, ...]:
    entities = list(dict.fromkeys(triple.entity for triple in triples))
    kept = set(draw.sample(entities, max(3, round(draw.choice(KEPT) * len(entities)))))
    lost = draw.choice(LOST)
    rows = [triple for triple in triples if triple.entity in kept and draw.random() >= lost]
    draw.shuffle(rows)
    return tuple(rows)


def _samples(table: PeopleTable, triples: tuple[Triple, ...]) -> list[Sample]:
    place = {(triple.entity, triple.property): row for row, triple in enumerate(triples)}
    held = dict.fromkeys(triple.entity for triple in triples)
    made = []
    for one in table.asked:
        kind = _kind(one, place, held)
        if kind:
            gold = (place[one.entity, one.property],) if kind == "answerable" else ()
            made.append(Sample(one.question, triples, gold, kind, table.name, one.entity, one.property))
    return made


def _kind(one: Asked, place: Collection[tuple[str, str]], held: Collection[str]) -> str | None:
    """What the question is on a table with these facts and entities; None where that cannot be told."""
    if one.kind in ("near_miss", "missing_entity"):
        return one.kind
    if one.entity in held:
        return "answerable" if (one.entity, one.property) in place else "missing_property"
    if not any(rare_words(one.entity) & rare_words(name) for name in held):
        return "missing_entity"
    # The entity is gone, and what is left of its name may mean another one that is still there; its whole name does not.
    return "near_miss" if one.entity.casefold() in one.question.casefold() else None


def _files() -> list[Path]:
    return sorted(FOLDER.rglob("*.json"), key=lambda path: path.name)


def _read(path: Path) -> PeopleTable:
    raw = json.loads(path.read_text(encoding="utf-8"))
    facts, asked = (Triple(*fact) for fact in raw["facts"]), (Asked(*one) for one in raw["questions"])
    return PeopleTable(path.stem, tuple(facts), tuple(asked), left_out=path.parent != FOLDER)
