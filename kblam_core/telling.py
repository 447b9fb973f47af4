"""How much each word of a name tells it from the other names: in the whole table, and among entities of the same kind."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from kblam_core.lexical import words
from kblam_core.triples import Triple

LEAST = 0.02  # for a word that all names share


class Telling:
    """1 for a word that only one entity has, next to nothing for one that all share ("HTTP" in a table of status codes).

    Of the same kind are the entities that hold the same property, the most widespread one of the entity in question. So "HTTP" goes on
    telling little when ten thousand facts about other things stand in the same table.
    """

    def __init__(self, triples: Iterable[Triple] = ()) -> None:
        self._properties: dict[str, list[str]] = {}
        self._holders: dict[str, dict[str, None]] = {}
        for triple in triples:
            property_ = triple.property.casefold()
            holders = self._holders.setdefault(property_, {})
            if triple.entity not in holders:
                holders[triple.entity] = None
                self._properties.setdefault(triple.entity, []).append(property_)
        self._all = _shares(self._properties)
        self._kinds: dict[str, dict[str, float]] = {}
        self._found: dict[str, dict[str, float]] = {}

    def of(self, entity: str) -> Mapping[str, float]:
        """0..1 for each word of the entity's name, folded; empty for an entity that the table does not hold."""
        if entity not in self._properties:
            return {}
        if entity not in self._found:
            widest = max(self._properties[entity], key=lambda property_: len(self._holders[property_]))
            if widest not in self._kinds:
                self._kinds[widest] = _shares(self._holders[widest])
            kind = self._kinds[widest]
            self._found[entity] = {word: min(self._all[word], kind[word]) for word in words(entity).folded}
        return self._found[entity]


def _shares(entities: Mapping[str, object] | Sequence[str]) -> dict[str, float]:
    held = Counter(word for entity in entities for word in set(words(entity).folded))
    scale = math.log(1 + len(entities))
    return {word: max(LEAST, math.log((1 + len(entities)) / count) / scale) for word, count in held.items()}
