"""Which words of a question name which entity: alignment of words by spelling.

Sentence vectors confuse Linden House with Laurel House; spelling does not. The measures below are features for a learned scorer, not
rules: they tolerate typos, inflection, accents and dropped words, and they leave the decision to the question prior.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from anyascii import anyascii
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from kblam_core.number_words import sense

# Scripts written without spaces are taken character by character; symbols and emoji count as words of their own.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Vowel signs, accents and joiners stand inside words, but \w does not match them. Those that colour emoji (U+FE0F) do not.
_JOINERS = "\u200c\u200d"
_MARKS = "".join(mark for mark in map(chr, range(0x300, 0x1E900)) if unicodedata.category(mark) in ("Mn", "Mc")) + _JOINERS
_WORD = re.compile(
    rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:(?![{_UNSPACED}\ufe00-\ufe0f])[{_MARKS}][^\W_{_UNSPACED}]*)*[+#]*"
    r"|[^\w\s.,;:!?'\"’‘“”()\[\]{}<>/\\|@#$%^&*+=~`_-]"
)
_LAST_ALPHABETIC = "\u052f"  # end of Cyrillic: Latin, Greek and Cyrillic letters have one usual spelling in plain letters
_POSSESSIVE = re.compile(r"(?<=\w)['’]s\b")
SMALL = 0.43  # "of", "the", "with" and the like are less rare than this
SAME_SENSE = 0.95  # similarity of two spellings of one number, or of a word and its plural
MATCHED = 0.8  # two words whose spelling agrees this far are taken for the same word

LEXICAL_FEATURES = (
    "entity_mean",  # rarity-weighted share of the entity's words found in the question
    "entity_telling",  # the same, weighted by what tells this entity from the others of the table
    "entity_min",  # the worst matched word of the entity
    "entity_exact",  # share of the entity's words found letter by letter
    "entity_phrase",  # the whole entity stands in the question
    "entity_swapped_before",  # rarity of an unexplained word for a missing, telling one: "clouded leopard", held "snow leopard"
    "entity_swapped_after",  # the same after a word that was found: "Halden Mill", held "Halden Workshop"
    "entity_inserted",  # rarity of an unexplained word between words of the entity: "zero width non-joiner"
    "entity_numbers",  # share of the entity's words with digits that are missing from the question
    "entity_initials",  # the question holds the entity's initials
    "entity_length",  # number of words in the entity, log
    "property_mean",  # share of the property's words found in the rest of the question
    "property_exact",
    "value_mean",  # share of the value's words found in the rest of the question
    "rest_rarest",  # rarity of the rarest word that neither entity nor property explains
    "rest_rarity",  # rarities of all such words, summed and squashed
    "rest_numbers",  # unexplained words with digits
    "rest_capitals",  # unexplained capitalised words (not the first)
    "rest_length",  # number of words left for the property, log
)


def fold(word: str) -> str:
    """Spelling without case, width, accents and joiners; Greek, Cyrillic and further Latin letters as plain ones: "Yıldız" is "yildiz",
    "Петрова" is "petrova". Words of one or two letters stay in their script: "α" is not "a"."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter) and letter not in _JOINERS) or word
    if plain.isascii() or len(plain) < 3:
        return plain
    spelled = "".join(anyascii(letter) if letter <= _LAST_ALPHABETIC else letter for letter in plain)
    return re.sub(r"['`]", "", spelled).casefold() or plain


@dataclass(frozen=True)
class Words:
    """The words of a text: folded spelling, place in the text, rarity in 0..1, capital first letter, digits."""

    folded: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    rarity: np.ndarray
    capital: np.ndarray
    number: np.ndarray


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    path = Path(__file__).parent / "data" / "common_words.txt"
    return {word: rank for rank, word in enumerate(path.read_text(encoding="utf-8").split())}


def rarity(word: str) -> float:
    """0 for the most common words of English, 1 for a word that is not among the 8,000 most common."""
    ranks = _ranks()
    rank = ranks.get(word)
    if rank is None and word.endswith("s"):
        rank = ranks.get(word[:-1])
    return 1.0 if rank is None else float(np.log1p(rank) / np.log1p(len(ranks)))


@lru_cache(maxsize=100_000)
def words(text: str) -> Words:
    """Split a text into words. "Workshop's" counts as "workshop", "date_built" as two words, "GitHub" as one."""
    text = _POSSESSIVE.sub(lambda match: " " * len(match.group()), text)
    found = [(match.group(), *match.span()) for match in _WORD.finditer(text)]
    folded = tuple(fold(word) for word, _, _ in found)
    return Words(
        folded=folded,
        spans=tuple((start, end) for _, start, end in found),
        rarity=np.array([rarity(word) for word in folded], dtype=np.float32),
        capital=np.array([word[:1].isupper() for word, _, _ in found], dtype=bool),
        number=np.array([any(letter.isdigit() for letter in word) for word in folded], dtype=bool),
    )


def similarity(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """(len(left), len(right)) spelling similarity in 0..1; words with digits agree wholly or not at all, "seventh" agrees with "7"."""
    if not left or not right:
        return np.zeros((len(left), len(right)), dtype=np.float32)
    matrix = cdist(left, right, scorer=OSA.normalized_similarity, dtype=np.float32)
    digits = np.array([any(letter.isdigit() for letter in word) for word in left])[:, None]
    digits = digits | np.array([any(letter.isdigit() for letter in word) for word in right])[None, :]
    short = np.array([len(word) < 4 for word in left])[:, None] | np.array([len(word) < 4 for word in right])[None, :]
    matrix[(digits | short) & (matrix < 1)] *= 0.5
    places: dict[str, list[int]] = {}
    for column, word in enumerate(right):
        places.setdefault(sense(word), []).append(column)
    for row, word in enumerate(left):
        for column in places.get(sense(word), ()):
            matrix[row, column] = max(matrix[row, column], SAME_SENSE)
    return matrix


class Alignment:
    """One question against many short texts (entities, properties, values), each word pair compared once."""

    def __init__(self, question: str, texts: Sequence[str]) -> None:
        self.question = question
        self.words = words(question)
        self.folded = " " + " ".join(self.words.folded) + " "
        vocabulary = list(dict.fromkeys(word for text in texts for word in words(text).folded))
        self._column = {word: index for index, word in enumerate(vocabulary)}
        self._matrix = similarity(self.words.folded, vocabulary)  # (question words, vocabulary)

    def matrix(self, text: str) -> np.ndarray:
        """(question words, words of the text) similarity."""
        return self._matrix[:, [self._column[word] for word in words(text).folded]]

    def residual(self, entity: str) -> tuple[str, np.ndarray]:
        """The question with the entity's words replaced by "it", and which question words those were (bool per word)."""
        found = words(entity)
        count = len(self.words.folded)
        if not found.folded or not count:
            return self.question, np.zeros(count, dtype=bool)
        matrix = self.matrix(entity)
        taken = matrix.max(1) >= MATCHED
        # Small words ("of", "the") belong to the mention only between two of its other words.
        strong = taken & (self.words.rarity > SMALL)
        if strong.any():
            first, last = np.flatnonzero(strong)[[0, -1]]
            if last - first <= 2 * len(found.folded):
                inside = np.zeros(count, dtype=bool)
                inside[first : last + 1] = taken[first : last + 1]
                taken = inside
            else:
                taken = strong
        return _replace(self.question, self.words, taken), taken

    def features(self, entity: str, property_: str, value: str, taken: np.ndarray, telling: Mapping[str, float]) -> list[float]:
        """The LEXICAL_FEATURES of one triple; `taken` are the question words that its entity explains, `telling` says how much each
        word of the entity tells it from others (Telling.of)."""
        asked = self.words
        entity_words, value_words = words(entity), words(value)
        count = len(asked.folded)
        if not count:
            return [0.0] * len(LEXICAL_FEATURES)
        in_entity = self.matrix(entity)
        best = in_entity.max(0) if entity_words.folded else np.zeros(1, dtype=np.float32)
        weight = 0.1 + entity_words.rarity if entity_words.folded else np.ones(1, dtype=np.float32)
        tells = np.array([telling.get(word, 1.0) for word in entity_words.folded] or [1.0], dtype=np.float32)
        numbers = entity_words.number
        initials = "".join(word[0] for word in entity_words.folded)
        phrase = f" {' '.join(entity_words.folded)} " in self.folded if entity_words.folded else False
        free = ~taken
        in_property = self.matrix(property_)[free]
        in_value = self.matrix(value)[free] if len(value_words.folded) <= 12 else None
        property_best = in_property.max(0) if in_property.size else np.zeros(1, dtype=np.float32)
        value_best = in_value.max(0) if in_value is not None and in_value.size else np.zeros(1, dtype=np.float32)
        rest = free.copy()
        if in_property.size:
            rest[free] &= in_property.max(1) < MATCHED
        unexplained = asked.rarity * rest
        capitals = asked.capital & rest
        capitals[0] = False
        return [
            float((best * weight).sum() / weight.sum()),
            float((np.where(best >= 0.7, best, 0) * tells).sum() / tells.sum()),
            float(best.min()),
            float((best > 0.99).mean()),
            float(phrase),
            *_foreign(in_entity, np.where(rest, asked.rarity, 0), tells, entity_words.rarity > SMALL),
            float((best[numbers] < 1).mean()) if numbers.any() else 0.0,
            float(len(initials) > 1 and initials in asked.folded),
            float(np.log1p(len(entity_words.folded))),
            float(property_best.mean()),
            float((property_best > 0.99).mean()),
            float((value_best * (value_best > 0.7)).mean()),
            float(unexplained.max()),
            float(np.log1p((unexplained * (unexplained > 0.6)).sum())),
            float(np.log1p((asked.number & rest).sum())),
            float(np.log1p(capitals.sum())),
            float(np.log1p(free.sum())),
        ]


def _foreign(in_entity: np.ndarray, unexplained: np.ndarray, tells: np.ndarray, strong: np.ndarray) -> tuple[float, float, float]:
    """Words that belong to another name: in the place of a missing word, before or after a found one, and between two found ones.

    in_entity (question words, entity words) similarity; unexplained (question words,) rarity, 0 where a word is explained; tells (entity
    words,): "code 451" may well be HTTP 451 where all entities are HTTP codes; strong (entity words,): False for "of" and "the", which a
    question may hold elsewhere: in "the libretto of the Magic Flute" nothing stands between "The" and "Magic".
    """
    if not in_entity.size:
        return 0.0, 0.0, 0.0
    unexplained = np.where((in_entity.max(1) < MATCHED) & (unexplained > SMALL), unexplained, 0)
    place = in_entity.argmax(0)
    found = in_entity.max(0) >= MATCHED
    padded = np.concatenate([[0.0], unexplained, [0.0]])  # word n stands at n + 1
    before = [tells[n] * padded[place[n + 1]] for n in range(len(found) - 1) if found[n + 1] and not found[n]]
    after = [tells[n] * padded[place[n - 1] + 2] for n in range(1, len(found)) if found[n - 1] and not found[n]]
    ends = place[found & strong] if (found & strong).any() else place[found]
    first, last = (ends.min(), ends.max()) if ends.size else (0, 0)
    inside = unexplained[first:last] if last - first <= 2 * len(found) else []
    return tuple(float(max(part, default=0.0)) for part in (before, after, inside))


def _replace(text: str, found: Words, taken: np.ndarray) -> str:
    pieces, position, inside = [], 0, False
    for (start, end), gone in zip(found.spans, taken, strict=True):
        if gone:
            if not inside:
                pieces.append(text[position:start] + "it")
            inside = True
            position = end
        else:
            inside = False
    pieces.append(text[position:])
    text = re.sub(r"\s+", " ", "".join(pieces)).strip()
    return re.sub(r"\b(?:the|an?) it\b", "it", text, flags=re.IGNORECASE)


class EntityIndex:
    """The entities of a whole table, ready to be measured against any question at once."""

    def __init__(self, entities: Sequence[str]) -> None:
        found = [words(entity) for entity in entities]
        vocabulary: dict[str, int] = {}
        flat = [vocabulary.setdefault(word, len(vocabulary)) for one in found for word in one.folded]
        self.vocabulary = vocabulary  # folded word -> its number
        self._flat = np.array(flat, dtype=np.int64)
        self._weight = np.concatenate([0.1 + one.rarity for one in found]) if flat else np.zeros(0, dtype=np.float32)
        self._owner = np.repeat(np.arange(len(found)), [len(one.folded) for one in found])
        self._count = len(found)

    def coverage(self, question: str) -> np.ndarray:
        """(number of entities,) rarity-weighted share of each entity's words that the question holds, in 0..1."""
        asked = words(question).folded
        if not asked or not len(self._flat):
            return np.zeros(self._count, dtype=np.float32)
        best = similarity(asked, self.vocabulary).max(0)[self._flat]
        held = np.bincount(self._owner, np.where(best >= 0.7, best, 0) * self._weight, minlength=self._count)
        total = np.bincount(self._owner, self._weight, minlength=self._count)
        return (held / np.maximum(total, 1e-9)).astype(np.float32)
