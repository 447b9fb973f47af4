"""How people put a question: the name shortened or mistyped, one of many wordings, lower case, no question mark, a greeting."""

import random
import re
import unicodedata
from pathlib import Path

from anyascii import anyascii

from kblam_core.lexical import fold, rarity
from kblam_core.number_words import spellings
from kblam_core.training.catalogue import Property, generic_questions

TITLES = ("Mr", "Ms", "Mrs", "Dr", "Dr.", "Professor", "Sir", "old", "our")
PEOPLE = set(
    "star athlete patient employee politician scientist philosopher artist ruler celebrity customer guest character deity chair".split()
)
CONTEXT = tuple(  # what people say around a question
    (Path(__file__).parent / "context.txt").read_text(encoding="utf-8").splitlines()
)
TELLS = 0.72  # rarity of a word that can stand for a whole name: not "new" or "the"
INSTEAD = ("number", "no.", "code", "item", "the", "entry", "a")  # said for a word that all names share: "code 451" for "HTTP 451"


def plain_letters(text: str) -> str:
    """Without accents."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def slip(word: str, source: random.Random) -> str:
    """A word of more than two letters as a hasty finger types it: two letters swapped, one dropped, or one doubled."""
    index = source.randrange(1, len(word) - 1)
    swapped = word[:index] + word[index + 1] + word[index] + word[index + 2 :]
    dropped = word[:index] + word[index + 1 :]
    doubled = word[:index] + word[index] + word[index:]
    return source.choice((swapped, dropped, doubled))


def misspell(question: str, source: random.Random, *, names: bool = False) -> str:
    """A slip in one of the question's long lower-case words, if it has any; names: or in one with capitals."""
    words = question.split()
    long = [index for index, word in enumerate(words) if len(word) > 5 and word.isalpha() and (names or word.islower())]
    if long:
        index = source.choice(long)
        words[index] = slip(words[index], source)
    return " ".join(words)


def hurried(question: str, source: random.Random, *, share: float = 0.12) -> str:
    """A question as typed in a hurry: with a slip in one of its long words, in lower case, without its mark; each with `share`."""
    words = question.rstrip("?.! ")
    mark = question[len(words) :]
    if source.random() < share:
        words = misspell(words, source, names=True)
    if source.random() < share:
        words = words.lower()
    return words if words and source.random() < share else words + mark


def shared_words(entity: str, others: set[str]) -> set[str]:
    """Words of the name, case folded, that at least half of the table's entities have; none in a table of one or two."""
    names = [set(name.casefold().split()) for name in {entity, *others}]
    return {word for word in entity.casefold().split() if len(names) > 2 and 2 * sum(word in name for name in names) >= len(names)}


class Wording:
    """Draws wordings from a source of random numbers."""

    def __init__(self, source: random.Random) -> None:
        self.random = source

    def mention(self, entity: str, others: set[str], noun: str = "") -> str:
        """The entity as a person types it: mostly as it stands, sometimes with a typo, without accents, or shortened.

        others: the table's other entities, which the short form must not name. noun: what the entity is, as in "the Halden contract".
        """
        chance = self.random.random()
        parts = entity.split()
        if chance < 0.05:
            long = [index for index, part in enumerate(parts) if len(part) > 5 and part.isalpha()]
            if long:
                index = self.random.choice(long)
                parts[index] = slip(parts[index], self.random)
                return " ".join(parts)
        elif chance < 0.14 and len(parts) > 1:
            shorter = self._shortened(parts, others)
            if shorter:
                return shorter
        elif chance < 0.36 and len(parts) > 1:
            return self._by_a_part(parts, others, noun) or entity
        elif chance < 0.40:
            return anyascii(entity) if self.random.random() < 0.5 else plain_letters(entity)
        elif chance < 0.42:
            return entity.upper()
        elif chance < 0.52 and any(spellings(part) for part in parts):
            return " ".join(self.random.choice(spellings(part) or (part,)) for part in parts)
        elif chance < 0.72 and len(parts) > 1 and shared_words(entity, others):
            return self._without_shared(parts, entity, others) or entity
        return entity

    def _by_a_part(self, parts: list[str], others: set[str], noun: str) -> str | None:
        """What people say for a long name: a word or a few of it, that with what it is, a title, an initial, a cut first word."""
        parts = [part.strip('()[],:;"“”') or part for part in parts]
        size = 1 if len(parts) == 2 or self.random.random() < 0.6 else self.random.randrange(1, len(parts))
        start = self.random.choice((0, 0, len(parts) - size, self.random.randrange(len(parts) - size + 1)))
        run = parts[start : start + size]
        how = self.random.random()
        if how < 0.2 and noun in PEOPLE:
            run = [parts[-1]]
            said = f"{self.random.choice(TITLES)} {parts[-1]}"
        elif how < 0.35 and noun:
            said = f"{' '.join(run)} {noun.split()[-1]}"
        elif how < 0.45 and parts[0][:1].isalpha():
            run = parts[1:]
            said = f"{parts[0][0]}. {' '.join(run)}"
        elif how < 0.52 and len(parts[0]) > 5 and parts[0].isalpha():
            run = parts[1:]
            said = " ".join([parts[0][: self.random.choice((3, 4))], *run])
        else:
            said = " ".join(run)
        tells = any(rarity(fold(part)) >= TELLS for part in run)
        return said if tells and self._is_clear(run, others) else None

    def _without_shared(self, parts: list[str], entity: str, others: set[str]) -> str | None:
        """The name with something else, or nothing, for a word that most of the table's names have."""
        gone = next(index for index, part in enumerate(parts) if part.casefold() in shared_words(entity, others))
        rest = [*parts[:gone], *parts[gone + 1 :]]
        if not self._is_clear(rest, others):
            return None
        return " ".join(rest if self.random.random() < 0.4 else [*parts[:gone], self.random.choice(INSTEAD), *parts[gone + 1 :]])

    def _shortened(self, parts: list[str], others: set[str]) -> str | None:
        """The name without one or two of its words, if what is left names no other entity of the table."""
        gone = set(self.random.sample(range(len(parts)), 2 if len(parts) > 3 and self.random.random() < 0.5 else 1))
        shorter = [part for index, part in enumerate(parts) if index not in gone]
        return " ".join(shorter) if self._is_clear(shorter, others) else None

    def _is_clear(self, shorter: list[str], others: set[str]) -> bool:
        """Whether these words of a name tell something and name no other entity."""
        words = {part.casefold() for part in shorter}
        telling = any((len(part) > 2 and not part.islower()) or any(map(str.isdigit, part)) for part in shorter)
        return telling and not any(words <= {part.casefold() for part in re.findall(r"[^\s()\[\],:;]+", other)} for other in others)

    def ask(self, property_: Property | None, name: str, entity: str, noun: str) -> str:
        """A question for the property of the entity, in one of its wordings or a general pattern."""
        if property_ is None or self.random.random() < 0.15:
            pattern = self.random.choice(generic_questions()).replace("{p}", name.replace("_", " "))
        else:
            pattern = self.random.choice(property_.questions)
        if self.random.random() < 0.04 and "the {e}" not in pattern and 0 < len(noun.split()) < 3:
            pattern = pattern.replace("{e}", f"the {noun} {{e}}")
        return self.style(pattern.replace("{e}", entity))

    def style(self, question: str) -> str:
        """The question as hasty or polite people write it."""
        chance = self.random.random
        if chance() < 0.12:
            question = question.rstrip("?. ")
        if chance() < 0.15:
            question = question.lower()
        if chance() < 0.05:
            question = misspell(question, self.random)
        if chance() < 0.1:
            said = self.random.choice(CONTEXT)
            question = said.replace("...", question if said.startswith("...") else question[:1].upper() + question[1:])
        elif chance() < 0.04:
            question = self.random.choice(("Hi, ", "Hello! ", "Please, ", "Quick question: ", "I was wondering, ", "So, ")) + question
        if chance() < 0.03:
            question = question.rstrip("?. ") + self.random.choice((" please?", ", please", " - thanks", "??", " ?"))
        return question
