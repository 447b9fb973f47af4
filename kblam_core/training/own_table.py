"""Questions on a table of one's own: general patterns filled with its entities' and properties' names, its own rows as facts.

A sample shows a part of the table. Rows and whole entities that are left out of it are what is asked for in vain, beside names that
merely resemble those of the table.
"""

from pathlib import Path

from kblam_core.errors import InputError
from kblam_core.prior import readable
from kblam_core.training.catalogue import Domain, Property, generic_questions
from kblam_core.training.generator import Generator, Row
from kblam_core.triples import Triple, read_table

FEWEST = 5  # facts


def own_rows(path: Path) -> list[Triple]:
    """The usable facts of a table to train on. Raises InputError."""
    triples = read_table(path).triples
    if len(triples) < FEWEST:
        have = "1 usable fact" if len(triples) == 1 else f"{len(triples)} usable facts"
        raise InputError(f"{path.name} holds {have}; to make questions of a table it takes at least {FEWEST}. Add rows, or leave out --kb.")
    return triples


class TableGenerator(Generator):
    """As Generator, but each table is a part of `triples`, and values are never invented."""

    def __init__(self, triples: list[Triple], seed: int, *, max_triples: int = 256) -> None:
        patterns = [pattern for pattern in generic_questions() if pattern.count("{e}") == 1]
        self._properties: dict[str, Property] = {}
        self._facts: dict[str, list[Triple]] = {}
        for triple in triples:
            self._facts.setdefault(triple.entity.casefold(), []).append(triple)
            name = triple.property
            if name.casefold() not in self._properties:
                asked = tuple(pattern.replace("{p}", readable(name)) for pattern in patterns)
                self._properties[name.casefold()] = Property((name,), "", (), asked, ())
        entities = tuple(facts[0].entity for facts in self._facts.values())
        domain = Domain("own table", "", entities, tuple(self._properties.values()))
        super().__init__(seed, domains=(domain,), max_triples=max(1, min(max_triples, len(triples))))

    def entity(self, domain: Domain) -> str:
        """A name of the table, or one that resembles it."""
        name = self.random.choice(domain.entities)
        return self.resembling(name, domain) if self.random.random() < 0.3 else name

    def table(self, size: int) -> list[Row]:
        """At most `size` rows: of some entities, never of all, and mostly not all rows of each. May be empty."""
        domain = self.domains[0]
        names = self.random.sample(list(self._facts), k=max(1, len(self._facts) - 1))
        share = self.random.choice((0.6, 0.85, 1.0))
        rows: list[Row] = []
        for name in names:
            kept = [triple for triple in self._facts[name] if self.random.random() < share]
            rows += [Row(triple, domain, self._properties[triple.property.casefold()]) for triple in kept]
            if len(rows) >= size:
                break
        self.random.shuffle(rows)
        return rows[:size]

    def _missing_entity(self, rows: list[Row]):
        """An entity of the table that this part of it leaves out, if no name in sight could be meant by it."""
        held = [set(row.triple.entity.casefold().split()) for row in rows]
        row = rows[self._pick(rows)]
        away = self.random.choice(self.domains[0].entities)
        words = set(away.casefold().split())
        if any(words <= other or words >= other for other in held):
            return None
        return self._absent(rows, row, away)
