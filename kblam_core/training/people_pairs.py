"""People's questions as pairs for the cross-encoder: the question with "it" for the entity, beside facts of that entity and others."""

import random
from collections.abc import Sequence

from kblam_core.prior import read, statement
from kblam_core.telling import Telling
from kblam_core.training.people import PeopleTable
from kblam_core.triples import Triple

TAKEN_OUT = 0.2  # share of the answerable questions whose answer is not shown


class PeoplePairs:
    """An endless source of questions with facts, a function of the seed: each question once before any comes again."""

    def __init__(self, tables: Sequence[PeopleTable], *, seed: int, facts: int) -> None:
        self.random = random.Random(seed)
        self.facts = facts
        self._items = [item for table in tables for item in _items(table)]
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._items)

    def state(self) -> dict:
        """All that changes from draw to draw, for `restore`."""
        return {"random": self.random.getstate(), "order": list(self._order)}

    def restore(self, state: dict) -> None:
        """Go on from what `state` gave."""
        self.random.setstate(state["random"])
        self._order = list(state["order"])

    def draw(self) -> tuple[str, list[str], bool]:
        """A question, up to `facts` facts, and whether the first of them answers it (else none does)."""
        if not self._order:
            self._order = self.random.sample(range(len(self._items)), len(self._items))
        question, answers, own, foreign = self._items[self._order.pop()]
        answered = bool(answers) and self.random.random() >= TAKEN_OUT
        facts = answers[:1] if answered else []
        facts = facts + self.random.sample(own, len(own))[: self.facts - len(facts)]
        facts += self.random.sample(foreign, min(len(foreign), self.facts - len(facts)))
        return question, facts, answered


def _items(table: PeopleTable) -> list[tuple[str, list[str], list[str], list[str]]]:
    """Each question that is about an entity of the table: its reading, the answering statement if there is one, the other statements of
    the entity, and those of others with a property that the entity has not."""
    telling = Telling(table.triples)
    of_entity: dict[str, list[Triple]] = {}
    for triple in table.triples:
        of_entity.setdefault(triple.entity, []).append(triple)
    found = []
    for one in table.asked:
        own = of_entity.get(one.entity)
        if own:
            reading = read(one.question, own, telling)
            held = {triple.property for triple in own} | {one.property}
            answers = [statement(triple) for triple in own if triple.property == one.property]
            others = [statement(triple) for triple in own if triple.property != one.property]
            foreign = dict.fromkeys(statement(triple) for triple in table.triples if triple.property not in held)
            found.append((reading.texts[reading.which[0]], answers, others, list(foreign)))
    return found
