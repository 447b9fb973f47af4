"""Questions for two facts: "the founder of A and the port of B?" is ranked part by part, and both facts come out on top.

A part that leaves something out takes it from the other: "the height and the age of A", "who built A and B?", "Where is A, and when was
it built?". The question is taken apart only if each part is answered by a fact of its own; an "and" inside a name stays where it is.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from kblam_core.adapter import KblamAdapter
from kblam_core.answer import AskOptions
from kblam_core.encoders import SentenceEncoder
from kblam_core.followup import NAMED, complete, with_entity
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.prior import CANDIDATES, FLOOR
from kblam_core.ranking import Shortlist, answerable, log_odds, rank_many
from kblam_core.reader import FactReader

_JOINT = re.compile(r"\s*[;?]\s+(?:and\s+)?(?=\S)|\s*,?\s+(?:and also|and|plus|as well as|&)\s+|,\s+(?=(?:wh\w+|how)\b)", re.IGNORECASE)
MOST_JOINTS = 3  # places where a question is tried to be taken apart
SURE = 0.67  # least probability that the table answers each part


def in_parts(
    kb: KnowledgeBase,
    questions: Sequence[str],
    wholes: Sequence[Shortlist],
    *,
    encoder: SentenceEncoder,
    adapter: KblamAdapter,
    options: AskOptions,
    reader: FactReader | None = None,
) -> list[Shortlist]:
    """`wholes` are the shortlists of the questions as they stand. For one that asks for two facts: a shortlist in which a fact's logit is
    the better one of the two parts'. The parts of all questions are ranked together."""
    if len(kb) < 2:
        return list(wholes)
    halves = [list(_halves(kb, question)) if logits is not None else [] for question, (_, logits) in zip(questions, wholes, strict=True)]
    parts = list(dict.fromkeys(part for pairs in halves for pair in pairs for part in pair))
    tools = {"encoder": encoder, "adapter": adapter, "options": options, "reader": reader}
    ranked = dict(zip(parts, rank_many(kb, parts, **tools), strict=True)) if parts else {}
    return [_best(whole, [(ranked[one], ranked[two]) for one, two in pairs]) for whole, pairs in zip(wholes, halves, strict=True)]


def _best(whole: Shortlist, ways: list[tuple[Shortlist, Shortlist]]) -> Shortlist:
    """The way to take a question apart whose parts are answered most surely; the whole question where none is."""
    best, found = SURE, whole
    for both in ways:
        certainty = min(answerable(logits) for _, logits in both)
        tops = {int(rows[int(np.argmax(logits))]) for rows, logits in both}
        if certainty >= best and len(tops) == 2:
            best, found = certainty, _together(whole[0], both)
    return found


def _halves(kb: KnowledgeBase, question: str) -> Iterator[tuple[str, str]]:
    """Ways to take the question apart, each part completed from the other."""
    for joint in list(_JOINT.finditer(question))[:MOST_JOINTS]:
        first, second = question[: joint.start()].strip(), question[joint.end() :].strip()
        if not first or not second:
            continue
        named = [kb.coverage(part) for part in (first, second)]
        if named[1].max() < NAMED > named[0].max():
            continue
        if named[0].max() < NAMED:
            yield with_entity(first, kb.triples[int(np.argmax(named[1]))].entity), second
        else:
            # What the second part leaves out is taken from the first, as from a turn before.
            again = complete(kb, f"and {second}", [(first, "")]).removeprefix("and ")
            yield first, again
            if again != second and named[1].max() >= NAMED:
                yield first, second


def _together(rows: np.ndarray, ranked: tuple[Shortlist, Shortlist]) -> Shortlist:
    """One shortlist of both parts' candidates, as long as the whole question's. The best fact of a part is as sure as its part."""
    merged: dict[int, float] = {}
    for part, logits in ranked:
        logits = logits.copy()
        logits[np.argmax(logits)] = max(logits.max(), log_odds(logits))
        for row, logit in zip(part[:CANDIDATES].tolist(), logits[:CANDIDATES].tolist(), strict=True):
            merged[row] = max(logit, merged.get(row, FLOOR))
    for row in rows.tolist():
        merged.setdefault(row, FLOOR)
    order = sorted(merged, key=lambda row: -merged[row])[: len(rows)]
    return np.array(order), np.array([merged[row] for row in order], dtype=np.float32)
