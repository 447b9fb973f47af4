"""Numbers as words: "seventh", "7th", "seven" and "VII" name the same number.

"One" and "first" are left out: they mostly mean something else ("which one", "the first performance").
"""

from functools import lru_cache

_CARDINAL = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
).split()
_ORDINAL = (
    "second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth "
    "eighteenth nineteenth twentieth"
).split()
_ROMAN = "ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()
# A lone V or X is more often a letter than a number.
_NUMBER = {word: str(number) for words in (_CARDINAL, _ORDINAL, _ROMAN) for number, word in enumerate(words, start=2) if len(word) > 1}


def spellings(number: str) -> tuple[str, ...]:
    """ "7" as people also write it: ("seven", "seventh", "VII", "7th"); empty beyond 2 to 20."""
    place = int(number) - 2 if number.isascii() and number.isdigit() and len(number) < 3 else -1
    if not 0 <= place < len(_CARDINAL):
        return ()
    suffix = {"2": "nd", "3": "rd"}.get(number, "th")
    words = (_CARDINAL[place], _ORDINAL[place], _ROMAN[place].upper(), number + suffix)
    return tuple(word for word in words if len(word) > 1)


@lru_cache(maxsize=100_000)
def sense(word: str) -> str:
    """What a folded word is the same as: a number in digits, a short word without its plural s, else the word itself."""
    if word in _NUMBER:
        return _NUMBER[word]
    if word[:1].isdigit() and word[-2:] in ("st", "nd", "rd", "th") and word[:-2].isdigit():
        return word[:-2]
    if 3 < len(word) < 6 and word[-1] == "s" and word[-2] not in "siu" and word.isalpha():
        return word[:-1]
    return word
