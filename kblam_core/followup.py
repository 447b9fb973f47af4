"""Follow-up questions: "and its budget?" after "Who runs the Halden Workshop?" asks about the Halden Workshop.

Only a question that names no entity of the table itself and points back (a pronoun, "and ...", "what about ...") is completed, with the
entity of the latest turn that named one. Everything else is asked as it stands, so that a refusal stays one.
"""

import re
from collections.abc import Sequence

import numpy as np

from kblam_core.knowledge_base import KnowledgeBase

_OWNER = re.compile(r"\b(?:its|his|her|their|whose own)\b", re.IGNORECASE)
_NAME = re.compile(r"\b(?:it|he|she|they|him|them|there|that one|this one)\b", re.IGNORECASE)
_GO_ON = re.compile(r"^\s*(?:and|also|what about|how about|а)\b", re.IGNORECASE)
NAMED = 0.6  # an entity of which this share of words stands in a text is named there


def complete(kb: KnowledgeBase, question: str, history: Sequence[tuple[str, str]]) -> str:
    """The question with the pronoun replaced by the entity talked about, or unchanged. history: (question, answer), oldest first."""
    if not history or not len(kb) or not (_OWNER.search(question) or _NAME.search(question) or _GO_ON.search(question)):
        return question
    if kb.coverage(question).max() >= NAMED:
        return question
    for asked, answered in reversed(history):
        for text in (answered, asked):
            coverage = kb.coverage(text)
            best = int(np.argmax(coverage))
            if coverage[best] >= NAMED:
                return _with_entity(question, kb.triples[best].entity)
    return question


def _with_entity(question: str, entity: str) -> str:
    for pattern, words in ((_OWNER, f"{entity}'s"), (_NAME, entity)):
        if pattern.search(question):
            return pattern.sub(lambda _, words=words: words, question, count=1)
    return f"{question.rstrip(' ?.!')} of {entity}?"
