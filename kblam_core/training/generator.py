"""Draw training samples: a table of facts and a question about it, answerable or not in one of four ways.

Tables hold 1 to 256 triples (size drawn log-uniformly) from a few domains, so that every question meets hard negatives: the same entity
with other properties, other entities with the same property, entities whose names differ by one word or one digit.
"""

import math
import random
import re
import zlib
from dataclasses import dataclass

from kblam_core.training.catalogue import (
    Domain,
    Property,
    glosses,
    load_catalogue,
    unrelated_messages,
)
from kblam_core.training.values import Values
from kblam_core.training.wording import Wording, shared_words
from kblam_core.triples import Triple

# Words that make another name of a name: "Upper Halden Workshop" is not "Halden Workshop".
SETTING_APART = tuple("New Old Upper Lower North South East West Great Little Second Junior Royal Inner Outer Black White Mini Non".split())
NUMBERING = ("Pro", "Plus", "II", "III", "B", "2")
FAMILIES = ("Code", "Model", "Unit", "Project", "Station", "Line", "Type", "Section", "Lot", "Class")  # words that all names may share
FAMILY_SHARE = 0.2  # of a table's domains
KINDS = ("answerable", "two_facts", "missing_entity", "near_miss", "missing_property", "unrelated")
SHARES = (0.56, 0.06, 0.11, 0.11, 0.12, 0.04)


@dataclass(frozen=True)
class Sample:
    """A question on a table. `gold`: indices of the triples that answer it, in the order of asking; empty means refuse."""

    question: str
    triples: tuple[Triple, ...]
    gold: tuple[int, ...]
    kind: str
    domain: str
    entity: str = ""
    property: str = ""


@dataclass(frozen=True)
class Row:
    """A triple with where it came from: the property it is an instance of (None for a neighbour that no wording asks for)."""

    triple: Triple
    domain: Domain
    property: Property | None


def is_held_out(entity: str) -> bool:
    """Entities kept for evaluation: one in ten, by a checksum of the name."""
    return zlib.crc32(entity.casefold().encode()) % 10 == 0


class Generator:
    """An endless source of samples. `held_out` draws only held-out entities (for evaluation), else only the others."""

    def __init__(self, seed: int, *, domains: tuple[Domain, ...] | None = None, held_out: bool = False, max_triples: int = 256) -> None:
        self.random = random.Random(seed)
        self.wording = Wording(self.random)
        self.values = Values(seed)
        self.domains = domains or load_catalogue()
        self.held_out = held_out
        self.max_triples = max_triples

    # ------------------------------------------------------------------ tables
    def entity(self, domain: Domain) -> str:
        """A name: from the list, or words of two names of the list put together, or a name with another number."""
        for _ in range(1000):
            name = self.random.choice(domain.entities)
            if self.random.random() < 0.5:
                name = self.resembling(name, domain)
            if is_held_out(name) == self.held_out:
                return name
        return name

    def resembling(self, name: str, domain: Domain) -> str:
        """Another name that shares a word with `name`, or differs from it in a digit."""
        digits = [index for index, letter in enumerate(name) if letter.isdigit()]
        if digits and self.random.random() < 0.7:
            index = self.random.choice(digits)
            other = self.random.choice([digit for digit in "0123456789" if digit != name[index]])
            return name[:index] + other + name[index + 1 :]
        parts = name.split()
        donor = self.random.choice(domain.entities).split()
        if len(parts) > 1 and self.random.random() < 0.8:
            index = self.random.randrange(len(parts))
            if len(parts[index]) < 4:
                index = 0
            parts[index] = self.random.choice(donor)
            return " ".join(parts)
        longest = max(range(len(parts)), key=lambda index: len(parts[index]))
        if len(parts[longest]) > 5 and parts[longest].isalpha() and self.random.random() < 0.5:
            parts[longest] = self._respelled(parts[longest])
            return " ".join(parts)
        if len(parts) == 1 and self.random.random() < 0.5:
            return f"{name} {self.random.choice(donor)}"
        return self.random.choice(domain.entities)

    def _respelled(self, word: str) -> str:
        """Another word that begins or ends alike: Velortin and Velortex."""
        endings = ("ex", "an", "ora", "ine", "ium", "il", "ost", "eth", "os", "is", "elle", "ov", "ak", "und")
        if self.random.random() < 0.6:
            kept = word[: -self.random.choice((2, 2, 3))]
            return kept + self.random.choice([ending for ending in endings if not word.endswith(ending)])
        first, second = self.random.sample(range(1, len(word) - 1), 2)
        letters = list(word)
        for index in (first, second):
            pool = "aeiou" if letters[index] in "aeiou" else "bdgklmnprstv"
            letters[index] = self.random.choice([letter for letter in pool if letter != letters[index]])
        return "".join(letters)

    def table(self, size: int) -> list[Row]:
        """About `size` rows without double (entity, property), from one to four domains."""
        rows: dict[tuple[str, str], Row] = {}
        domains = self.random.sample(self.domains, k=min(len(self.domains), self.random.choice((1, 1, 2, 3, 4))))
        tries = 0
        # Tables differ in shape: a few entities with many properties, or many entities with one or two.
        density = self.random.choice((0.15, 0.35, 0.7, 0.9))
        names = {domain.name: {id(p): self.random.choice(p.names) for p in domain.properties} for domain in domains}
        families = {domain.name: self._family(domain) for domain in domains if self.random.random() < FAMILY_SHARE}
        while len(rows) < size and tries < 20 * size + 50:
            tries += 1
            if self.random.random() < 0.02:
                word, gloss = self.random.choice(glosses())
                if is_held_out(word) == self.held_out:
                    rows[(word, "definition")] = Row(Triple(word, "definition", gloss), domains[0], None)
                continue
            domain = self.random.choice(domains)
            entity = self.entity(domain)
            if domain.name in families:
                entity = f"{families[domain.name]} {entity}"
                if is_held_out(entity) != self.held_out:
                    continue
            for property_ in domain.properties:
                if self.random.random() > density:
                    continue
                name = names[domain.name][id(property_)]
                if property_.neighbours and self.random.random() < 0.12:
                    near = self.random.choice(property_.neighbours)
                    if all(near.casefold() not in map(str.casefold, p.names) for p in domain.properties):
                        rows[(entity.casefold(), near.casefold())] = Row(Triple(entity, near, self.values.draw(property_)), domain, None)
                        if self.random.random() < 0.5:
                            continue
                rows[(entity.casefold(), name.casefold())] = Row(Triple(entity, name, self.values.draw(property_)), domain, property_)
        kept = list(rows.values())
        self.random.shuffle(kept)
        return kept[:size]

    def _family(self, domain: Domain) -> str:
        """A word that all names of a domain begin with: "HTTP", "Station", what the domain calls them."""
        letters = "".join(self.random.choice("ABCDEFGHIKLMNOPRSTUVX") for _ in range(self.random.choice((2, 3, 4))))
        return self.random.choice((letters, self.random.choice(FAMILIES), domain.noun.split()[-1].capitalize() if domain.noun else letters))

    # ----------------------------------------------------------------- samples
    def samples(self, count: int = 8) -> list[Sample]:
        """`count` questions on one table (sentence vectors are made once for all of them)."""
        size = round(math.exp(self.random.uniform(0, math.log(self.max_triples))))
        rows = self.table(size)
        while not rows:
            rows = self.table(size + 3)
        made: list[Sample] = []
        for _ in range(20 * count):
            kind = self.random.choices(KINDS, SHARES)[0]
            drawn = getattr(self, f"_{kind}")(rows)
            if drawn:
                question, table, gold, about = drawn
                made.append(Sample(question, tuple(row.triple for row in table), gold, kind, *about))
            if len(made) == count:
                break
        return made

    def _pick(self, rows: list[Row]) -> int | None:
        askable = [i for i, row in enumerate(rows) if row.property is not None or row.triple.property == "definition"]
        if not askable or self.random.random() < 0.06:
            # A neighbouring property is asked by its own name.
            askable = list(range(len(rows)))
        return self.random.choice(askable)

    def _same_property_elsewhere(self, rows: list[Row], entity: str, property_: Property | None, name: str) -> list[int]:
        """Rows of the entity that hold this property, under whatever name."""
        return [
            i
            for i, row in enumerate(rows)
            if row.triple.entity.casefold() == entity.casefold()
            and ((property_ is not None and row.property is property_) or row.triple.property.casefold() == name.casefold())
        ]

    def _mention(self, entity: str, rows: list[Row], noun: str) -> str:
        return self.wording.mention(entity, {row.triple.entity for row in rows} - {entity}, noun)

    def _answerable(self, rows: list[Row]):
        index = self._pick(rows)
        row = rows[index]
        triple = row.triple
        question = self.wording.ask(row.property, triple.property, self._mention(triple.entity, rows, row.domain.noun), row.domain.noun)
        return question, rows, (index,), (row.domain.name, triple.entity, triple.property)

    def _two_facts(self, rows: list[Row]):
        if len(rows) < 2:
            return None
        first, second = self.random.sample(range(len(rows)), 2)
        if self.random.random() < 0.4:
            same = [i for i, row in enumerate(rows) if i != first and row.triple.entity == rows[first].triple.entity]
            second = self.random.choice(same) if same else second
        a, b = rows[first].triple, rows[second].triple
        pa, pb = a.property.replace("_", " "), b.property.replace("_", " ")
        if a.entity == b.entity:
            pattern = self.random.choice(
                ("What are the {pa} and the {pb} of {ea}?", "Tell me the {pa} and {pb} of {ea}.", "{ea}: {pa} and {pb}?")
            )
        elif self.random.random() < 0.5:
            pattern = self.random.choice(
                (
                    "What is the {pa} of {ea} and the {pb} of {eb}?",
                    "the {pa} of {ea} and the {pb} of {eb}",
                    "Give me the {pa} of {ea} and also the {pb} of {eb}.",
                    "I need {ea}'s {pa} and {eb}'s {pb}",
                )
            )
        else:
            one = self.wording.ask(rows[first].property, a.property, a.entity, rows[first].domain.noun).rstrip("?. ")
            two = self.wording.ask(rows[second].property, b.property, b.entity, rows[second].domain.noun)
            return f"{one}, and {two[0].lower() + two[1:]}", rows, (first, second), ("", a.entity, a.property)
        question = pattern.format(pa=pa, pb=pb, ea=a.entity, eb=b.entity)
        return self.wording.style(question), rows, (first, second), ("", a.entity, a.property)

    def _absent(self, rows: list[Row], row: Row, entity: str):
        question = self.wording.ask(row.property, row.triple.property, entity, row.domain.noun)
        return question, rows, (), (row.domain.name, entity, row.triple.property)

    def _missing_entity(self, rows: list[Row]):
        row = rows[self._pick(rows)]
        names = {other.triple.entity.casefold() for other in rows}
        held = {word.casefold() for other in rows for word in re.findall(r"\w+", other.triple.entity) if len(word) > 3}
        for _ in range(30):
            source = row.domain if self.random.random() < 0.8 else self.random.choice(self.domains)
            name = self.entity(source)
            if name.casefold() not in names and not any(word.casefold() in held for word in re.findall(r"\w+", name)):
                said = self._mention(name, rows, row.domain.noun)
                return self._absent(rows, row, said if is_held_out(said) == self.held_out else name)
        return None

    def _near_miss(self, rows: list[Row]):
        row = rows[self._pick(rows)]
        held = {other.triple.entity.casefold() for other in rows}
        held_words = [set(name.split()) for name in held]
        shared = shared_words(row.triple.entity, held - {row.triple.entity.casefold()})
        for _ in range(10):
            if self.random.random() < 0.15:
                name = self._set_apart(row.triple.entity)
                if is_held_out(name) == self.held_out and name.casefold() not in held:
                    return self._absent(rows, row, name)
            name = self.resembling(row.triple.entity, row.domain)
            words = set(name.casefold().split())
            # A name that merely shortens or lengthens a held one may be meant for it: not a clear refusal.
            # So may one that says something else for a word that most names share.
            clear = is_held_out(name) == self.held_out and name.casefold() not in held and shared <= words
            if clear and not any(words <= other or words >= other for other in held_words):
                return self._absent(rows, row, name)
        return None

    def _set_apart(self, name: str) -> str:
        """The name with one more word that makes it another's; numbers and the like come last."""
        parts = name.split()
        word = self.random.choice([word for word in (*SETTING_APART, *NUMBERING) if word.casefold() not in name.casefold()])
        parts.insert(len(parts) if word in NUMBERING else self.random.randrange(len(parts)), word)
        return " ".join(parts)

    def _missing_property(self, rows: list[Row]):
        row = rows[self._pick(rows)]
        entity = row.triple.entity
        if row.property is not None and self.random.random() < 0.45:
            # The asked fact itself is taken out; its neighbours stay.
            gone = set(self._same_property_elsewhere(rows, entity, row.property, row.triple.property))
            rest = [other for i, other in enumerate(rows) if i not in gone]
            if any(other.triple.entity == entity for other in rest):
                return self._absent(rest, row, self._mention(entity, rest, row.domain.noun))
        absent = [
            p
            for p in row.domain.properties
            if not self._same_property_elsewhere(rows, entity, p, p.names[0])
            and not any(name.casefold() == row.triple.property.casefold() for name in p.names)
        ]
        if not absent:
            return None
        wanted = self.random.choice(absent)
        asked = Row(Triple(entity, self.random.choice(wanted.names), ""), row.domain, wanted)
        return self._absent(rows, asked, self._mention(entity, rows, row.domain.noun))

    def _unrelated(self, rows: list[Row]):
        return self.random.choice(unrelated_messages()), rows, (), ("", "", "")
