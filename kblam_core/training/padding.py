"""Facts about other things that make a generated table large: what answers in ten rows must still answer in ten thousand."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from kblam_core.lexical import words
from kblam_core.training.generator import Generator, Sample
from kblam_core.triples import Triple

FACTS = 10_000  # of the largest table
LEAST = 200  # smaller tables come from the generator itself
TABLE = 192  # facts drawn together
COMMON = 0.9  # rarity below which two names may share a word


class Padding:
    """A stock of generated facts of all topics, from which tables are filled up."""

    def __init__(self, seed: int, *, facts: int = FACTS) -> None:
        generator = Generator(seed, max_triples=TABLE)
        stock: dict[tuple[str, str], Triple] = {}
        while len(stock) < facts:
            for row in generator.table(TABLE):
                stock.setdefault((row.triple.entity.casefold(), row.triple.property.casefold()), row.triple)
        self.random = random.Random(seed)
        self.stock = list(stock.values())[:facts]
        self._words = [rare_words(triple.entity) for triple in self.stock]

    def fill(self, samples: Sequence[Sample]) -> list[Sample]:
        """The questions of one table, all on the same larger one; its size is drawn log-uniformly.

        Nothing is added whose name shares a rare word with a name of the table or of a question: it might be what is asked for.
        """
        named = {triple.entity for sample in samples for triple in sample.triples} | {sample.entity for sample in samples}
        taken = {name.casefold() for name in named}
        rare = set().union(*map(rare_words, named))
        free = [
            triple for triple, own in zip(self.stock, self._words, strict=True) if not own & rare and triple.entity.casefold() not in taken
        ]
        wanted = round(math.exp(self.random.uniform(math.log(LEAST), math.log(FACTS))))
        added = tuple(self.random.sample(free, min(wanted, len(free))))
        return [replace(sample, triples=sample.triples + added) for sample in samples]


def rare_words(name: str) -> set[str]:
    """The words of a name that few others have, case folded: two names that share one may be taken for each other."""
    found = words(name)
    return {word for word, rarity in zip(found.folded, found.rarity, strict=True) if rarity >= COMMON}
