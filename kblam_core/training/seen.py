"""What the training material could hold: questions and facts of an evaluation that must not be among them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from kblam_core.prior import readable
from kblam_core.training.catalogue import generic_questions, load_catalogue, unrelated_messages
from kblam_core.training.people import load_people

Fact = tuple[str, str, str]  # entity, property, value


def plain(text: str) -> str:
    """The words of a text without case and punctuation, one space between them."""
    return " ".join("".join(sign if _in_word(sign) else " " for sign in text.casefold()).split())


def _in_word(sign: str) -> bool:
    return sign.isalnum() or unicodedata.category(sign).startswith("M")


def seen_questions(asked: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(where, question) of those that training could ask: a wording filled with an entity of its domain, a question of the people's tables,
    or an unrelated message."""
    questions = {plain(one["question"]) for one in asked} - {""}
    # Filling the wordings with the entities in all ways makes half a million texts; asking which fill could give a question does not.
    wordings = {
        domain.name: {plain(wording) for property_ in domain.properties for wording in property_.questions} for domain in load_catalogue()
    }
    general = {plain(pattern.replace("{p}", readable(name))) for pattern in generic_questions() for name in _names()}
    messages = {plain(message) for message in unrelated_messages()}
    clashes = [("unrelated", question) for question in questions & messages]
    clashes += [(table.name, question) for table in load_people() for question in questions & {plain(one.question) for one in table.asked}]
    for domain in load_catalogue():
        for entity in {plain(entity) for entity in domain.entities} - {""}:
            for question in questions:
                if entity in question:
                    emptied = {question[: m.start()] + "e" + question[m.end() :] for m in re.finditer(re.escape(entity), question)}
                    clashes += [(domain.name, question) for wording in emptied if wording in wordings[domain.name] or wording in general]
    return clashes


def seen_facts(facts: set[Fact]) -> set[Fact]:
    """Those that training could draw: an entity, a property and a value of one domain, or a fact of the people's tables."""
    people = {tuple(map(plain, (one.entity, readable(one.property), one.value))) for table in load_people() for one in table.triples}
    found = {fact for fact in facts if (plain(fact[0]), plain(readable(fact[1])), plain(fact[2])) in people}
    for domain in load_catalogue():
        entities = {plain(entity) for entity in domain.entities}
        for property_ in domain.properties:
            names = {plain(readable(name)) for name in (*property_.names, *property_.neighbours)}
            values = {plain(value) for value in property_.values}
            found |= {
                fact for fact in facts if plain(fact[0]) in entities and plain(readable(fact[1])) in names and plain(fact[2]) in values
            }
    return found


def _names() -> set[str]:
    return {name for domain in load_catalogue() for property_ in domain.properties for name in (*property_.names, *property_.neighbours)}
