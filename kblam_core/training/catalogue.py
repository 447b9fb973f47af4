"""The catalogue of training domains: entities, properties, natural wordings, and values, read from catalogue/*.json.

One file is one domain (lighthouses, employees, ...). Each property has names it goes by in tables, several wordings of the question it
answers, a generator or a list of values, and names of neighbouring properties that must not be confused with it.
"""

import json
import zlib
from dataclasses import dataclass
from functools import lru_cache, reduce
from pathlib import Path

FOLDER = Path(__file__).parent / "catalogue"


@dataclass(frozen=True)
class Property:
    """One property of a domain. `names` are what a table may call it, the first being the usual name."""

    names: tuple[str, ...]
    kind: str
    values: tuple[str, ...]
    questions: tuple[str, ...]
    neighbours: tuple[str, ...]


@dataclass(frozen=True)
class Domain:
    """Entities of one kind and their properties. `noun` is what a person calls such an entity."""

    name: str
    noun: str
    entities: tuple[str, ...]
    properties: tuple[Property, ...]


@lru_cache(maxsize=1)
def load_catalogue() -> tuple[Domain, ...]:
    """All domains, in the order of their names."""
    return tuple(_read(path) for path in sorted(FOLDER.glob("*.json")))


def catalogue_checksum() -> int:
    """Changes when any file of the catalogue does: data made from another catalogue is made again."""
    return reduce(lambda total, path: zlib.crc32(path.read_bytes(), total), sorted(FOLDER.glob("*.json")), 0)


@lru_cache(maxsize=1)
def unrelated_messages() -> tuple[str, ...]:
    """Messages that no table answers: small talk, sums, tasks."""
    return _lines("unrelated.txt")


@lru_cache(maxsize=1)
def generic_questions() -> tuple[str, ...]:
    """Patterns with {p} and {e} that ask any property of any entity."""
    return tuple(json.loads((FOLDER.parent / "generic_questions.json").read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def glosses() -> tuple[tuple[str, str], ...]:
    """(word, definition) pairs of WordNet."""
    return tuple(json.loads((FOLDER.parent / "glosses.json").read_text(encoding="utf-8")).items())


def _lines(name: str) -> tuple[str, ...]:
    text = (FOLDER.parent / name).read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _read(path: Path) -> Domain:
    raw = json.loads(path.read_text(encoding="utf-8"))
    properties = tuple(
        Property(
            names=(entry["property"], *entry.get("aliases", ())),
            kind=entry["kind"],
            values=tuple(str(value) for value in entry.get("values", ())),
            questions=tuple(question for question in entry["questions"] if question.count("{e}") == 1),
            neighbours=tuple(entry.get("not", ())),
        )
        for entry in raw["properties"]
    )
    return Domain(raw["domain"], raw["noun"], tuple(dict.fromkeys(raw["entities"])), properties)
