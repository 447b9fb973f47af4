"""Tables brought to one size, so that quality can be shown against the number of facts.

A larger table is cut into parts of that size which together hold every fact that a question needs; each question is asked on one part.
A smaller table is padded with facts of the suite's other tables, then with the facts of assets/distractors.csv.gz. No padding fact is
about anything that a question of the table names, so gold answers and right refusals stay what they were.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rapidfuzz import fuzz

from kblam_core.errors import InputError
from kblam_core.evaluation.metrics import normalise
from kblam_core.evaluation.questions import Question
from kblam_core.evaluation.runner import Case
from kblam_core.textfile import read_bytes
from kblam_core.triples import Triple, parse_table

DISTRACTORS = Path(__file__).parents[2] / "assets" / "distractors.csv.gz"
ALIKE = 75  # similarity (0..100) from which a name that a question asks for may be taken for a held one


def resize(cases: Sequence[Case], size: int, *, seed: int = 0, distractors: Sequence[Triple] | None = None) -> list[Case]:
    """Every case with exactly `size` facts in an order drawn with `seed`; parts of one table keep its name.

    distractors: facts to pad with after those of the other cases; by default the shipped file. Raises InputError when they run out.
    """
    made: list[Case] = []
    for number, case in enumerate(cases):
        draw = random.Random(f"{seed} {case.name}")
        if len(case.triples) >= size:
            parts = _parts(case, size, draw)
        else:
            others = [triple for other in cases[:number] + cases[number + 1 :] for triple in other.triples]
            draw.shuffle(others)
            distractors = read_distractors() if distractors is None and len(case.triples) + len(others) < size else distractors
            parts = [_padded(case, size, [*others, *draw.sample(distractors or [], len(distractors or []))])]
        for part in parts:
            made.append(replace(part, triples=draw.sample(part.triples, size), knowledge_base=None))
    return made


def read_distractors() -> list[Triple]:
    """The shipped padding facts. Raises InputError."""
    try:
        content = gzip.decompress(read_bytes(DISTRACTORS, what="distractor"))
    except (OSError, EOFError):
        raise InputError(f"{DISTRACTORS.name} is damaged. Make it again with: python tools/make_distractors.py") from None
    return parse_table(content, name="distractors.csv").triples


def names_it(entities: Iterable[str], sentences: Iterable[str]) -> Callable[[str], bool]:
    """A check whether an entity could be meant: it equals or shares all words with one of `entities`, or stands in a sentence."""
    exact = {normalise(entity) for entity in entities} - {""}
    held = {frozenset(entity.split()) for entity in exact}
    spoken = {frozenset(normalise(sentence).split()) for sentence in sentences}
    known: dict[str, bool] = {}

    def check(entity: str) -> bool:
        if entity not in known:
            words = frozenset(normalise(entity).split())
            meant = not words or any(words <= sentence for sentence in spoken)
            known[entity] = meant or any(words <= name or name <= words for name in held)
        return known[entity]

    return check


def taken(case: Case) -> Callable[[str], bool]:
    """The check of `names_it` for the entities and questions of a case."""
    named = [entity for question in case.questions for entity, _ in question.keys]
    sentences = [text for question in case.questions for text in question.texts]
    return names_it([*(triple.entity for triple in case.triples), *named], sentences)


def _padded(case: Case, size: int, candidates: Iterable[Triple]) -> Case:
    meant = taken(case)
    held = {(triple.entity.casefold(), triple.property.casefold()): triple for triple in case.triples}
    for triple in candidates:
        if len(held) == size:
            break
        if not meant(triple.entity):
            held.setdefault((triple.entity.casefold(), triple.property.casefold()), triple)
    if len(held) < size:
        raise InputError(f"{case.name} can be padded to {len(held):,} facts, not to {size:,}. Use a smaller --size.")
    return replace(case, triples=list(held.values()))


def _parts(case: Case, size: int, draw: random.Random) -> list[Case]:
    """First fit: each question goes to the first part with room for the facts it needs; free places are filled by the draw."""
    facts: list[set[int]] = []
    asked: list[list[Question]] = []
    free: list[Question] = []
    for question in case.questions:
        needed = _needed(question, case.triples)
        if not needed or len(needed) > size:
            free.append(question)  # nothing to hold for it, or no part can: then it is left out when the part is asked
            continue
        place = next((i for i, part in enumerate(facts) if len(part | needed) <= size), len(facts))
        if place == len(facts):
            facts.append(set())
            asked.append([])
        facts[place] |= needed
        asked[place].append(question)
    if not facts:
        facts, asked = [set()], [[]]
    for number, question in enumerate(free):
        asked[number % len(asked)].append(question)
    made = []
    for held, questions in zip(facts, asked, strict=True):
        rest = [index for index in range(len(case.triples)) if index not in held]
        chosen = [*held, *draw.sample(rest, size - len(held))]
        made.append(replace(case, triples=[case.triples[index] for index in chosen], questions=questions))
    return made


def _needed(question: Question, triples: Sequence[Triple]) -> set[int]:
    """Rows that a question is about: its gold facts; for one to be refused a fact of its entity, or of the name most like it, because
    that is what makes it hard."""
    places = {(triple.entity.casefold(), triple.property.casefold()): index for index, triple in enumerate(triples)}
    if question.answerable:
        return {places[key] for key in question.keys if key in places}
    entity, property_ = question.keys[0]
    if not entity:
        return set()
    scores = [
        (fuzz.ratio(entity, triple.entity.casefold()), triple.property.casefold() == property_, -index)
        for index, triple in enumerate(triples)
    ]
    best, _, index = max(scores)
    return {-index} if best >= ALIKE else set()
