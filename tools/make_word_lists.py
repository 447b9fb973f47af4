"""Make kblam_core/data/common_words.txt, kblam_core/training/glosses.json and concepts.json from WordNet (Debian package wordnet-base).

    PYTHONPATH=. python tools/make_word_lists.py /usr/share/wordnet

The word list, most frequent first, tells how rare a word of a question is; the glosses are long values for training; the concepts are
nouns a table might have as a property, with their synonyms, definition and adjectives ("height": high, low), and what is near them.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kblam_core.triples import read_table

ROOT = Path(__file__).parent.parent / "kblam_core"
RESERVED = ROOT.parent / "assets" / "evaluation"  # its property names are kept out of training

# WordNet's files of nouns that can be properties, and what kind of value goes with them (training/values.py; "measure" and "word" are
# filled in training/concepts.py).
KINDS = {
    **dict.fromkeys((4, 6, 8, 9, 10, 11, 12, 16, 19, 22, 24, 25, 26, 27), "word"),
    **{7: "measure", 14: "organisation", 15: "place", 18: "person", 21: "money", 23: "integer", 28: "date"},
}


@dataclass
class Synset:
    """One line of data.noun: words of one meaning, and numbers of lines that are related to it."""

    file: int
    words: list[str]
    gloss: str
    above: list[str]
    below: list[str]
    opposites: list[str]
    adjectives: list[str]


def main(wordnet: Path) -> None:
    """Read WordNet and write the three files."""
    made = json.dumps(concepts(wordnet), separators=(",", ":")).replace('{"words"', '\n{"words"')
    (ROOT / "training" / "concepts.json").write_text(made + "\n", encoding="utf-8")
    counts: Counter[str] = Counter()
    glosses: list[tuple[str, str]] = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (wordnet / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  ") or " | " not in line:
                continue
            head, gloss = line.split(" | ", 1)
            counts.update(re.findall(r"[a-z]+", gloss.lower()))
            word = head.split()[4].replace("_", " ")
            definition = gloss.split(";")[0].strip()
            if part == "noun" and word.isascii() and word.islower() and 25 < len(definition) < 220:
                glosses.append((word, definition))
    # Questions use words that glosses do not: put the question words first.
    asking = "what who whom whose when where which why how is are was were do does did can could would please tell me i you it its".split()
    words = asking + [word for word, _ in counts.most_common(9000) if word not in asking and len(word) > 1]
    (ROOT / "data" / "common_words.txt").write_text("\n".join(words[:8000]) + "\n", encoding="utf-8")
    random.Random(0).shuffle(glosses)
    kept = dict(glosses[:2500])
    (ROOT / "training" / "glosses.json").write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


def concepts(wordnet: Path) -> list[dict]:
    """Nouns in common use in their usual meaning. "near" (sisters and opposites) and "apart" (not to be told apart: broader, narrower,
    or sharing an adjective) hold places in this list."""
    synsets = dict(_synsets(wordnet))
    uses = _uses(wordnet)
    adjectives = _adjectives(wordnet, uses)
    usual = {}
    for line in (wordnet / "index.noun").read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):
            parts = line.split()
            usual[parts[0].replace("_", " ")] = parts[6 + int(parts[3])]
    reserved = {triple.property.casefold() for path in RESERVED.glob("*.csv") for triple in read_table(path).triples}
    found: dict[str, dict] = {}
    for number, synset in synsets.items():
        words = [word for word in synset.words if usual.get(word) == number and re.fullmatch(r"[a-z][a-z' -]{2,27}", word)]
        words = [word for word in words if word not in reserved]
        common = max((uses.get(("n", word), 0) for word in words), default=0)
        if synset.file not in KINDS or not words or (common < 2 and not synset.adjectives):
            continue
        qualities = sorted({word for one in synset.adjectives for word in adjectives.get(one, ())})
        gloss = re.sub(r"\s*\([^)]*\)\s*", " ", synset.gloss.split(";")[0].split('"')[0]).strip(" :")
        gloss = gloss if 8 <= len(gloss) <= 90 else ""
        if len(words) > 1 or gloss or qualities:
            found[number] = {"words": words, "gloss": gloss, "adjectives": qualities, "kind": KINDS[synset.file]}
    place = {number: index for index, number in enumerate(found)}
    sharing: dict[str, set[str]] = {}
    for number, entry in found.items():
        for word in entry["adjectives"]:
            sharing.setdefault(word, set()).add(number)
    for number, entry in found.items():
        synset = synsets[number]
        apart = {*synset.above, *synset.below, *(other for word in entry["adjectives"] for other in sharing[word])} - {number}
        near = {sister for above in synset.above for sister in synsets[above].below} | set(synset.opposites)
        entry["near"] = sorted(place[one] for one in near - apart - {number} if one in place)[:40]
        entry["apart"] = sorted(place[one] for one in apart if one in place)
    return list(found.values())


def _synsets(wordnet: Path) -> Iterator[tuple[str, Synset]]:
    for line in (wordnet / "data.noun").read_text(encoding="latin-1").splitlines():
        if line.startswith("  "):
            continue
        head, _, gloss = line.partition(" | ")
        parts = head.split()
        count = int(parts[3], 16)
        after = 4 + 2 * count
        pointers = [parts[after + 1 + 4 * n : after + 3 + 4 * n] for n in range(int(parts[after]))]
        to = {sign: [number for one, number in pointers if one == sign] for sign in "@~!="}
        words = [parts[4 + 2 * n].replace("_", " ") for n in range(count)]
        yield parts[0], Synset(int(parts[1]), words, gloss.strip(), to["@"], to["~"], to["!"], to["="])


def _uses(wordnet: Path) -> dict[tuple[str, str], int]:
    """How often WordNet's tagged texts use a word (in its first meaning): ("n" or "a", word) -> count."""
    uses: Counter[tuple[str, str]] = Counter()
    for line in (wordnet / "cntlist.rev").read_text(encoding="latin-1").splitlines():
        sense, number, count = line.split()
        word, _, rest = sense.partition("%")
        if rest[0] == "1" and number == "1":
            uses["n", word.replace("_", " ")] = int(count)
        elif rest[0] in "35":
            uses["a", word] = max(uses["a", word], int(count))
    return uses


def _adjectives(wordnet: Path, uses: dict[tuple[str, str], int]) -> dict[str, list[str]]:
    """The common words of each adjective meaning."""
    found = {}
    for line in (wordnet / "data.adj").read_text(encoding="latin-1").splitlines():
        if not line.startswith("  "):
            parts = line.split()
            words = [re.sub(r"\(.*\)", "", parts[4 + 2 * n]) for n in range(int(parts[3], 16))][:2]
            found[parts[0]] = [word for word in words if word.isalpha() and word.islower() and uses.get(("a", word), 0) >= 3]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
