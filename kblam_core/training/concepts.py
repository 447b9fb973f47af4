"""Questions about what words mean, from WordNet: a second source of pairs for the cross-encoder, wider than the catalogue.

The catalogue knows some three thousand properties, people's tables many more. A concept is a noun with its synonyms, its definition and,
for some, adjectives. It is asked by one word and held by another ("the functionary of it" - "The official of it is ..."), by its
definition, or by an adjective ("How high is it?" - height); its sisters in WordNet stand beside it as what must not be confused.
"""

import json
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from kblam_core.encoders import SentenceEncoder
from kblam_core.prior import statement
from kblam_core.training.catalogue import generic_questions
from kblam_core.training.values import Values
from kblam_core.triples import Triple

VALUES = 2  # different values shown with a word
NEAREST = 12  # neighbours by sentence vector that may stand beside a concept
SAME = 0.85  # closer vectors may mean the same
UNITS = ("m", "km", "kg", "cm", "mm", "tonnes", "litres", "°C", "W", "km/h", "ha", "m²", "seconds", "%", "dB")
OTHER_KINDS = ("code", "integer", "organisation", "person", "percentage", "year")
# Attributes, sums and times are properties of more things than buildings and tools are.
SHARE = {"measure": 4.0, "money": 4.0, "integer": 3.0, "date": 3.0, "place": 3.0, "person": 3.0, "organisation": 0.7, "word": 1.2}
BY_DEFINITION = (
    "What is {g} of it?",
    "What is its {h}?",
    "it: {h}?",
    "Which is {g} of it?",
    "What is {g} for it?",
    "Tell me {g} of it.",
    "{h} of it",
    "What do they call {g} of it?",
    "I'm after {g} of it.",
    "What is given as {g} of it?",
)
BY_ADJECTIVE = (
    "How {a} is it?",
    "how {a} is it",
    "How {a} is it exactly?",
    "How {a} would you say it is?",
    "Do you know how {a} it is?",
    "Is it {a}?",
    "Tell me how {a} it is.",
    "how {a} it is",
    "How {a} was it?",
)


@dataclass(frozen=True)
class Concept:
    """near, apart: places in the list of its sisters, and of those that cannot be told from it (broader, narrower)."""

    words: tuple[str, ...]
    gloss: str
    adjectives: tuple[str, ...]
    kind: str
    near: tuple[int, ...]
    apart: tuple[int, ...]


@lru_cache(maxsize=1)
def load_concepts() -> tuple[Concept, ...]:
    """The concepts of concepts.json (tools/make_word_lists.py)."""
    raw = json.loads((Path(__file__).parent / "concepts.json").read_text(encoding="utf-8"))
    return tuple(
        Concept(tuple(one["words"]), one["gloss"], tuple(one["adjectives"]), one["kind"], tuple(one["near"]), tuple(one["apart"]))
        for one in raw
    )


class ConceptMaker:
    """An endless source of (question, facts): the first fact answers if `draw` is told so. A function of the seed."""

    def __init__(self, encoder: SentenceEncoder, *, seed: int, facts: int) -> None:
        self.random = random.Random(seed)
        self.facts = facts
        self.concepts = load_concepts()
        self._values = Values(seed)
        self._vectors = encoder.encode([one.words[0] for one in self.concepts])
        self._weights = [SHARE[one.kind] * (1.5 if len(one.words) > 1 else 1.0) * (3.0 if one.adjectives else 1.0) for one in self.concepts]
        self._kinds: dict[str, list[int]] = {}
        for place, one in enumerate(self.concepts):
            self._kinds.setdefault(one.kind, []).append(place)
        self._statements: dict[tuple[int, str], list[str]] = {}

    def state(self) -> dict:
        """All that changes from draw to draw, for `restore`."""
        return {"random": self.random.getstate(), "values": self._values.state(), "statements": self._statements}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        self.random.setstate(state["random"])
        self._values.restore(state["values"])
        self._statements = state["statements"]

    def draw(self, *, answered: bool) -> tuple[str, list[str]]:
        """A question with "it" for the entity, and facts."""
        place = self.random.choices(range(len(self.concepts)), self._weights)[0]
        question, held = self._ask(self.concepts[place])
        facts = [self._statement(place, held)] if answered else []
        for other in self._others(place, self.facts - len(facts)):
            facts.append(self._statement(other, self.random.choice(self.concepts[other].words)))
        return question, facts

    def _ask(self, concept: Concept) -> tuple[str, str]:
        """The question and the word that the table has for what is asked."""
        pick = self.random
        asked = pick.choice(concept.words)
        synonyms = [word for word in concept.words if word != asked]
        if concept.adjectives and pick.random() < 0.6:
            return pick.choice(BY_ADJECTIVE).replace("{a}", pick.choice(concept.adjectives)), asked
        if concept.gloss and (not synonyms or pick.random() < 0.35):
            bare = re.sub(r"^(the|an?|any|some) ", "", concept.gloss)
            full = concept.gloss if bare != concept.gloss else f"the {bare}"
            return pick.choice(BY_DEFINITION).replace("{g}", full).replace("{h}", bare), asked
        pattern = pick.choice(generic_questions()).replace("{p}", asked).replace("{e}", "it")
        held = pick.choice(synonyms) if synonyms and pick.random() < 0.85 else asked
        return re.sub(r"\b(?:the|an?) it\b", "it", pattern), held

    def _others(self, place: int, count: int) -> list[int]:
        """Concepts that do not answer: sisters, neighbours by sentence vector, others of the same kind, any others."""
        concept, pick = self.concepts[place], self.random
        hidden = {place, *concept.apart}
        row = self._vectors @ self._vectors[place]
        around = [int(other) for other in np.argsort(-row)[: 3 * NEAREST] if other not in hidden and row[other] < SAME][:NEAREST]
        chosen = pick.sample(concept.near, min(2, len(concept.near))) + pick.sample(around, min(2, len(around)))
        while len(set(chosen)) < count:
            other = pick.choice(self._kinds[concept.kind]) if pick.random() < 0.5 else pick.randrange(len(self.concepts))
            if other not in hidden:
                chosen.append(other)
        return list(dict.fromkeys(chosen))[:count]

    def _statement(self, place: int, word: str) -> str:
        made = self._statements.setdefault((place, word), [])
        if len(made) == VALUES:
            return self.random.choice(made)
        made.append(statement(Triple("it", word, self._value(self.concepts[place].kind))))
        return made[-1]

    def _value(self, kind: str) -> str:
        pick = self.random
        if kind in ("measure", "word") and pick.random() < 0.55:
            return pick.choice(self.concepts).words[0]
        if kind == "measure":
            return self._values.make(f"measure:{pick.choice(UNITS)}")
        return self._values.make(pick.choice(OTHER_KINDS) if kind == "word" else kind)[:60]
