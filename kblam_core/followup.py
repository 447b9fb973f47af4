"""Follow-up questions: "and its budget?" after "Who runs the Halden Workshop?" asks about the Halden Workshop, and "And Linden House?"
asks who runs that.

Only a question that points back (a pronoun, "and ...", "what about ...") is completed: one that names no entity of the table with the
entity of the latest turn that named one; one that is nothing but a name with the property that the latest answer gave, or else with the
question of the latest turn. Everything else is asked as it stands, so that a refusal stays one.
"""

import re
from collections.abc import Sequence

import numpy as np

from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.lexical import SMALL, Alignment, words
from kblam_core.prior import readable
from kblam_core.triples import Triple

_ITS = re.compile(r"\bits\b", re.IGNORECASE)
_OWNER = re.compile(r"\b(?:its|his|her|their|whose own)\b", re.IGNORECASE)
_NAME = re.compile(r"\b(?:it|he|she|they|him|them|there|that one|this one)\b", re.IGNORECASE)
_GO_ON = re.compile(r"^\s*(?:and|also|what about|how about|а)\b", re.IGNORECASE)
_LEADING = re.compile(r"^\s*(?:(?:and|also|what|how|about|for|of|with|а|then)\b\s*)+", re.IGNORECASE)
_MENTION = re.compile(r"\bit\b")
NAMED = 0.6  # an entity of which this share of words stands in a text is named there
LONGEST_NAME = 6  # words


def complete(kb: KnowledgeBase, question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question with what it leaves out, taken from the turns before, or unchanged. history: (question, answer), oldest first."""
    if not history or not len(kb) or not (_OWNER.search(question) or _NAME.search(question) or _GO_ON.search(question)):
        return question
    if name := _bare_name(kb, question):
        return _asked_of(kb, name, history) or question
    its = _ITS.search(question)
    # In "and its distance from the Sun?" the word that points back comes first: what is named after it is not its owner.
    if kb.coverage(question[: its.start()] if its else question).max(initial=0) >= NAMED:
        return question
    entity = _talked_about(kb, history)
    return with_entity(question, entity) if entity else question


def _talked_about(kb: KnowledgeBase, history: Sequence[tuple[str, str]]) -> str | None:
    """The entity that the latest turns name, first of all the one whose fact was told: "The distance from the sun of Jupiter is ..." is
    about Jupiter, also where the table holds the Sun."""
    for asked, answered in reversed(history):
        for text in (answered, asked):
            coverage = kb.coverage(text)
            best = int(np.argmax(coverage))
            if coverage[best] >= NAMED:
                return _told([kb.triples[row] for row in np.flatnonzero(coverage >= NAMED)], text) or kb.triples[best].entity
    return None


def _told(named: Sequence[Triple], answer: str) -> str | None:
    """The entity in "The {property} of {entity} is {value}.", if one of the facts has both, whatever its value is now."""
    start = answer.casefold()
    told = [one.entity for one in named if start.startswith(f"the {readable(one.property)} of {one.entity} is ".casefold())]
    return max(told, key=len, default=None)


def _bare_name(kb: KnowledgeBase, question: str) -> str | None:
    """The name in "And Linden House?" or "what about Venus": an entity of the table, or something written with a capital letter."""
    if not _GO_ON.search(question) or _OWNER.search(question) or _NAME.search(question):
        return None
    rest = _LEADING.sub("", question).strip(" ?.!")
    rest = re.sub(r"^the\s+", "", rest, flags=re.IGNORECASE)
    if not rest or len(rest.split()) > LONGEST_NAME:
        return None
    coverage = kb.coverage(rest)
    best = kb.triples[int(np.argmax(coverage))].entity
    if coverage.max() >= NAMED:
        _, taken = Alignment(rest, [best]).residual(best)
        return rest if all(taken | (words(rest).rarity < SMALL)) else None
    properties = {readable(triple.property).casefold() for triple in kb.triples}
    return rest if words(rest).capital.all() and rest.casefold() not in properties else None


def _asked_of(kb: KnowledgeBase, name: str, history: Sequence[tuple[str, str]]) -> str | None:
    """The latest question, now about `name`: for the property that was answered if `name` has it, else in the words of the question."""
    if property_ := _answered(kb, name, history[-1][1]):
        return f"What is the {property_} of {name}?"
    for asked, _ in reversed(history):
        coverage = kb.coverage(asked)
        if coverage.max() >= NAMED:
            entity = kb.triples[int(np.argmax(coverage))].entity
            text, taken = Alignment(asked, [entity]).residual(entity)
            return _MENTION.sub(lambda _: name, text, count=1) if taken.any() else None
        if place := _unknown_name(asked):
            return asked[: place[0]] + name + asked[place[1] :]
    return None


def _answered(kb: KnowledgeBase, name: str, answer: str) -> str | None:
    """The property in "The {property} of {entity} is {value}.", if the table has it of the entity called `name`."""
    named = np.flatnonzero(kb.coverage(name) >= NAMED)
    held = {readable(kb.triples[row].property) for row in named}
    said = [property_ for property_ in held if answer.casefold().startswith(f"the {property_} of ".casefold())]
    return max(said, key=len, default=None)


def _unknown_name(text: str) -> tuple[int, int] | None:
    """Where a name stands that the table does not know, [start, end) in characters: the longest run of words written with a capital
    letter, not the first word."""
    found = words(text)
    if found.capital.all():  # a heading, or shouting: capitals tell nothing
        return None
    runs: list[tuple[int, int]] = []
    for number, (capital, (start, end)) in enumerate(zip(found.capital, found.spans, strict=True)):
        if not capital or not number or text[start:end] == "I":
            continue
        joined = runs and not text[runs[-1][1] : start].strip(" -'’")
        runs.append((runs.pop()[0], end) if joined else (start, end))
    return max(runs, key=lambda run: run[1] - run[0], default=None)


def with_entity(question: str, entity: str) -> str:
    """The question about `entity`: in the place of a pronoun, else at its end."""
    for pattern, replacement in ((_OWNER, f"{entity}'s"), (_NAME, entity)):
        if pattern.search(question):
            return pattern.sub(lambda _, replacement=replacement: replacement, question, count=1)
    return f"{question.rstrip(' ?.!')} of {entity}?"
