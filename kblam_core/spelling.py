"""Slips of the finger in a question, put right before it is read: "Who disovered iron?", "How many moons has Neptnue?".

A sentence encoder makes little of a word that it does not know. Only what a hasty finger does to a word is put right: two letters swapped,
one dropped, one doubled, a key beside the right one. Of a name only letters swapped or doubled are, where that spells a word of
the table: a name that lacks a letter or has another one may well be another name. What is a word already, what looks like a word of the
table, and questions in other languages stay as they are. The model and the page still see what was typed.
"""

import re
from collections.abc import Collection
from functools import lru_cache

from rapidfuzz.distance import OSA
from spellchecker import SpellChecker

from kblam_core.lexical import fold

SHORTEST, LONGEST = 5, 30  # letters; shorter words have too many neighbours, longer ones are no words
ENGLISH = 0.6  # share of a question's words that the dictionary knows, at least
ALIKE = 0.7  # similarity from which a word may be meant for one of the table's names
_WORD = re.compile(r"[^\W\d_]+")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def mended(question: str, *, names: Collection[str], properties: Collection[str]) -> str:
    """The question without slips. names, properties: the table's words, folded, best as sets: each word is looked up in them. A word of a
    property is the likelier one to be meant."""
    question = _WORD.sub(lambda match: _of_table(match.group(), names, properties), question)
    found = [match.group() for match in _WORD.finditer(question)]
    # The table's own words need no dictionary, and names of the table may be in none.
    longer = [word for number, word in enumerate(found) if _is_doubtful(word, first=not number)]
    doubtful = [word for word in longer if word.casefold() not in names and word.casefold() not in properties]
    if not doubtful:
        return question
    known = _dictionary()
    if sum(word.casefold() in known for word in found) < ENGLISH * len(found):
        return question
    meant = {word: _meant(word.casefold(), names, properties) for word in doubtful if word.casefold() not in known}
    meant |= {word: better.capitalize() for word, better in meant.items() if word[0].isupper()}
    return _WORD.sub(lambda match: meant.get(match.group(), match.group()), question)


def _of_table(typed: str, names: Collection[str], properties: Collection[str]) -> str:
    """The table's word of which this one has two letters swapped or one doubled, if there is just one; else the word itself."""
    if not SHORTEST <= len(typed) <= LONGEST or fold(typed) in names or typed.casefold() in properties:
        return typed
    inner = range(1, len(typed) - 1)
    swapped = {typed[:n] + typed[n + 1] + typed[n] + typed[n + 2 :] for n in inner}
    single = {typed[:n] + typed[n + 1 :] for n in range(1, len(typed)) if typed[n].casefold() == typed[n - 1].casefold()}
    meant = {word for word in swapped | single if fold(word) in names or word.casefold() in properties}
    return meant.pop() if len(meant) == 1 and typed.casefold() not in _dictionary() else typed


def _is_doubtful(word: str, *, first: bool) -> bool:
    plain = word[1:] if first else word
    return len(word) >= SHORTEST and word.isascii() and plain.islower()


def _meant(word: str, names: Collection[str], properties: Collection[str]) -> str:
    """The likeliest word that a slip turned into this one, or the word itself."""
    if any(OSA.normalized_similarity(word, name) >= ALIKE for name in names):
        return word
    known = _dictionary()
    slips = [other for other in {*(known.candidates(word) or ()), *properties} if _is_slip(word, other)]
    return max(slips, key=lambda other: (other in properties, known[other]), default=word)


def _is_slip(typed: str, meant: str) -> bool:
    """Whether a finger turns one word into the other: a swap, a letter left out or doubled, a neighbouring key."""
    if OSA.distance(typed, meant, score_cutoff=1) != 1:
        return False
    place = next((n for n, (one, two) in enumerate(zip(typed, meant, strict=False)) if one != two), min(len(typed), len(meant)))
    if len(typed) < len(meant):
        return place < len(typed)  # a last letter is rather an ending
    if len(typed) > len(meant):
        return place > 0 and typed[place] == typed[place - 1]
    return sorted(typed) == sorted(meant) or _are_neighbours(typed[place], meant[place])


def _are_neighbours(one: str, two: str) -> bool:
    places = [(row.find(letter), number) for letter in (one, two) for number, row in enumerate(_KEYS) if letter in row]
    return len(places) == 2 and all(abs(here - there) <= 1 for here, there in zip(*places, strict=True))


@lru_cache(maxsize=1)
def _dictionary() -> SpellChecker:
    return SpellChecker(language="en", distance=1)
