"""How an answer is judged: normalisation for every script, exactness, refusals, and the spread of the figures.

Normalisation drops case, punctuation, white space and English articles, and keeps letters, marks, digits and symbols of every
script; inside a number the decimal point, the colon and the sign are kept, so 3.5 is not 35 and -12 is not 12. Scripts written
without spaces (Chinese, Japanese, Thai, ...) count every character as a word.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_ARTICLES = frozenset({"a", "an", "the"})
_LEAD_IN = re.compile(r"\b(?:is|are|was|were|:)\s+", re.IGNORECASE)
# Han, kana, bopomofo, Thai, Lao, Myanmar, Khmer: no spaces between words
_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3100-\u312f\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_NUMBER_MARKS = frozenset(".:/")
_ABOUT = frozenset("~≈")
_QUOTES = "\"'“”‘’«»()[]`*.,;:"
_DASHES = frozenset("-\u2212")

# Ways in which a prompted model says that it does not know. Generous on purpose: a baseline is not to lose by its wording.
_REFUSAL = re.compile(
    r"""\bi(?:\s+do\s+not|\s+don.?t)\s+(?:know|have|find|see)\b
    | \b(?:can\s?not|can.?t|could\s+not|couldn.?t|unable\s+to|not\s+able\s+to)\s+(?:\w+\s+)?(?:find|answer|determine|provide|tell|say|
          locate|identify|confirm|help|be\s+(?:found|determined|answered))
    | \bnot\s+(?:\w+\s+)?(?:mentioned|provided|listed|given|stated|specified|available|included|found|known|contained|recorded|present
          |answered|answerable|possible\s+to|in\s+the\s+(?:facts|table|list|context|information|text|knowledge))\b
    | \b(?:isn|wasn|aren).?t\s+(?:\w+\s+)?(?:mentioned|provided|listed|given|stated|specified|available|included|found|known|in\s+the)\b
    | \b(?:does|do|did)(?:\s+not|n.?t)\s+(?:\w+\s+)?(?:mention|provide|list|give|state|specify|include|contain|say|answer|have\s+(?:any|the|
          enough|information))
    | \bno\s+(?:\w+\s+)?(?:information|facts?|answer|record|mention|data|details?|entry)\b
    | \bnone\s+of\s+the\s+(?:facts|information|above)\b
    | \bnot\s+enough\s+(?:information|facts|data|context)\b
    | \binsufficient\s+(?:information|facts|data|context)\b
    | \b(?:i\s+am|i.?m|we\s+are)\s+(?:sorry|not\s+sure|unsure|afraid)\b
    | ^\W*(?:sorry|unknown|none|n/a|not\s+sure|no\s+idea)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def normalise(text: str, *, keep_articles: bool = False) -> str:
    """Words of `text` in their bare form, one space between them; "" when nothing but punctuation and articles was there."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    text = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    words = "".join(_bare(text, place) for place in range(len(text))).split()
    return " ".join(word for word in words if keep_articles or word not in _ARTICLES)


def _bare(text: str, place: int) -> str:
    char = text[place]
    if char.isalnum() or (kind := unicodedata.category(char))[0] in "LMN":
        return f" {char}" if _SPACELESS.match(char) and unicodedata.category(char)[0] != "M" else _unglue(text, place)
    before = text[place - 1] if place else " "
    after = text[place + 1] if place + 1 < len(text) else " "
    if char in _NUMBER_MARKS or char == ",":
        return ("." if char == "," else char) if before.isdecimal() and after.isdecimal() else " "
    if char in _DASHES:
        return "-" if after.isdecimal() and (before.isspace() or before in "(:=") else " "
    if char == "+":
        return char  # C++, U+203D
    if char not in _ABOUT and kind in ("Sm", "Sc", "So"):
        return f" {char} "
    return "" if kind == "Cf" else " "


def _unglue(text: str, place: int) -> str:
    """The character, parted from a preceding one of a script without spaces."""
    return f" {text[place]}" if place and text[place].isalnum() and _SPACELESS.match(text[place - 1]) else text[place]


def _both(answer: str, gold: str) -> tuple[str, str]:
    """Answer and gold normalised alike; a gold of articles ("A") or punctuation only is compared with them kept."""
    if bare := normalise(gold):
        return normalise(answer), bare
    if bare := normalise(gold, keep_articles=True):
        return normalise(answer, keep_articles=True), bare
    return tuple(" ".join(word.strip(_QUOTES) or word for word in text.split()) for text in (answer, gold))


def is_correct(answer: str, gold: str, *, refused: bool) -> bool:
    """The gold value stands in the answer at word boundaries, and the answer is no refusal."""
    answer, gold = _both(answer, gold)
    return not refused and bool(gold) and f" {gold} " in f" {answer} "


def _readings(answer: str) -> list[str]:
    """The whole answer, and what follows its first "is": "The director of Halden is Mara." also reads "Mara."."""
    lead_in = _LEAD_IN.search(answer)
    return [answer, answer[lead_in.end() :]] if lead_in else [answer]


def is_exact(answer: str, gold: str, *, refused: bool) -> bool:
    """The answer, or what follows its lead-in ("The X of Y is ..."), equals the gold value and says nothing more."""
    return not refused and any(left == right != "" for left, right in (_both(text, gold) for text in _readings(answer)))


def is_exact_all(answer: str, golds: Sequence[str], names: Sequence[str], *, refused: bool) -> bool:
    """The same for several values: nothing is said but the values in their order, "and", and "NAME is" ("the director of Halden")."""
    text = f" {normalise(answer)} "
    for name in names:
        text = text.replace(f" {normalise(name)} is ", " ")
    left, right = ([word for word in part.split() if word != "and"] for part in (text, " ".join(map(normalise, golds))))
    return not refused and left == right != []


def token_f1(answer: str, gold: str, *, refused: bool) -> float:
    """Overlap of words between answer and gold, 0..1; the better of the whole answer and the part after its lead-in."""
    return 0.0 if refused else max(_f1(*_both(text, gold)) for text in _readings(answer))


def _f1(answer: str, gold: str) -> float:
    left, right = answer.split(), gold.split()
    shared = sum((Counter(left) & Counter(right)).values())
    return 2 * shared / (len(left) + len(right)) if shared else 0.0


def reads_as_refusal(text: str) -> bool:
    """Whether the free text of a prompted model says that it does not know. An empty text counts as a refusal."""
    return not text.strip() or bool(_REFUSAL.search(text))


def ratio(part: float, whole: int) -> float | None:
    """part / whole rounded to four places; None when there is nothing to divide by."""
    return round(part / whole, 4) if whole else None


def wilson(successes: int, total: int, *, z: float = 1.96) -> list[float] | None:
    """Wilson's 95 % confidence interval [low, high] of a proportion; None without trials."""
    if not total:
        return None
    share = successes / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return [round(max(0.0, min(low, share)), 4), round(min(1.0, max(high, share)), 4)]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Linear interpolation between the closest ranks; None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 2)
