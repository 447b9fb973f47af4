"""What KBLaM is compared with, on the same backbone and the same encoder.

zero-shot    the bare question
in-context   all facts in the prompt, while they fit the context window
rag          the five facts nearest to the question (same encoder) in the prompt, with worked examples
rag-plain    the same with the rules in words only
dense        the value of the nearest fact, no language model at all

A small model asked in words never refuses, and one shown worked refusals refuses too often: neither prompt is best at everything, so both
are offered, and KBLaM is to be compared with the better one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from kblam_core.errors import InputError
from kblam_core.evaluation.metrics import reads_as_refusal
from kblam_core.triples import Triple

RAG_FACTS = 5
MAX_NEW_TOKENS = 64
NO_ANSWER = "The facts do not answer this question."

_SYSTEM = (
    "You answer questions from a list of facts. Find the one fact that is about exactly the thing and exactly the property "
    f'asked for, and repeat it as one short sentence. If no fact fits, answer only: "{NO_ANSWER}"'
)
_PLAIN = "Use only the facts given to answer the question in one short sentence. If the facts do not contain the answer, say: I don't know."
_EXAMPLE_FACTS = (
    Triple("Corven Bakery", "owner", "Ida Falk"),
    Triple("Corven Bakery", "opening year", "1987"),
    Triple("Corben Bridge", "length", "412 m"),
)
_EXAMPLES = (
    ("When was Corven Bakery opened?", "The opening year of Corven Bakery is 1987."),
    ("Who owns Corbin Bakery?", NO_ANSWER),
    ("How long is Corben Bridge?", "The length of Corben Bridge is 412 m."),
    ("What is the phone number of Corven Bakery?", NO_ANSWER),
)


@dataclass(frozen=True)
class Reply:
    """One answer of any system under test. ranked: indices of facts, best first; similarity: of the first one.

    ttft_ms and total_ms include retrieval; tokens is 0 where nothing was generated.
    """

    text: str
    refused: bool
    ranked: list[int] = field(default_factory=list)
    ttft_ms: float = 0.0
    total_ms: float = 0.0
    tokens: int = 0
    similarity: float | None = None
    confidence: float | None = None
    kb_mass: float | None = None


History = Sequence[tuple[str, str]]  # earlier (question, answer) turns, oldest first


class Ask(Protocol):
    """Answer a question."""

    def __call__(self, question: str, history: History = ()) -> Reply: ...


def retriever(
    kblam: Any, triples: Sequence[Triple], keys: np.ndarray | None = None
) -> Callable[[str, History], tuple[list[int], np.ndarray]]:
    """question -> (indices of the nearest facts, best first; similarities (M,)), by the encoder's own key vectors.

    keys: (M, E), where they are encoded already. In a conversation the previous question is searched with, because "and its budget?"
    alone names nothing.
    """
    if keys is None:
        keys = kblam.encoder.encode([triple.key_text for triple in triples])

    def nearest(question: str, history: History = ()) -> tuple[list[int], np.ndarray]:
        searched = " ".join([*(asked for asked, _ in history[-1:]), question])
        similarities = keys @ kblam.encoder.encode([searched])[0]
        count = min(RAG_FACTS, len(similarities))
        best = np.argpartition(-similarities, count - 1)[:count]
        return [int(index) for index in best[np.argsort(-similarities[best], kind="stable")]], similarities

    return nearest


def dense(kblam: Any, triples: Sequence[Triple]) -> Ask:
    """The encoder alone: the nearest fact's value, never a refusal."""
    nearest = retriever(kblam, triples)

    def ask(question: str, history: History = ()) -> Reply:
        start = time.perf_counter()
        ranked, similarities = nearest(question, history)
        spent = (time.perf_counter() - start) * 1000
        similarity = float(similarities[ranked[0]])
        return Reply(triples[ranked[0]].value, False, ranked, spent, spent, similarity=similarity)

    return ask


def rag(kblam: Any, triples: Sequence[Triple], keys: np.ndarray | None = None) -> Ask:
    """Retrieve the five nearest facts, then prompt with worked examples. keys: (M, E) key vectors, where they are at hand."""
    return _retrieve_then_prompt(kblam, triples, prompt, keys)


def rag_plain(kblam: Any, triples: Sequence[Triple]) -> Ask:
    """Retrieve the five nearest facts, then prompt in words only: shorter, therefore quicker."""
    return _retrieve_then_prompt(kblam, triples, plain_prompt)


def _retrieve_then_prompt(
    kblam: Any, triples: Sequence[Triple], write: Callable[..., list[dict[str, str]]], keys: np.ndarray | None = None
) -> Ask:
    nearest = retriever(kblam, triples, keys)

    def ask(question: str, history: History = ()) -> Reply:
        start = time.perf_counter()
        ranked, similarities = nearest(question, history)
        spent = (time.perf_counter() - start) * 1000
        reply = _prompted(kblam, write([triples[index] for index in ranked], question, history), spent)
        return replace(reply, ranked=ranked, similarity=float(similarities[ranked[0]]))

    return ask


def in_context(kblam: Any, triples: Sequence[Triple]) -> Ask:
    """All facts in every prompt. Raises InputError when they do not fit the context window."""
    longest = prompt(triples, "")
    needed = sum(kblam.count_tokens(turn["content"]) + 8 for turn in longest) + 64 + MAX_NEW_TOKENS
    if needed > kblam.context_window:
        raise InputError(
            f"in-context: {len(triples):,} facts need about {needed:,} tokens, but the model reads {kblam.context_window:,}. "
            "Use a smaller table, or --mode rag."
        )

    def ask(question: str, history: History = ()) -> Reply:
        return _prompted(kblam, prompt(triples, question, history))

    return ask


def zero_shot(kblam: Any, triples: Sequence[Triple]) -> Ask:
    """The model's own memory."""
    system = "Answer the question in one short sentence. If you do not know the answer, say: I do not know."

    def ask(question: str, history: History = ()) -> Reply:
        return _prompted(kblam, [{"role": "system", "content": system}, *_turns(history), {"role": "user", "content": question}])

    return ask


def prompt(facts: Sequence[Triple], question: str, history: History = ()) -> list[dict[str, str]]:
    """Chat turns: the rules, worked examples over a small list, the conversation so far, then the facts and the question."""
    turns = [{"role": "system", "content": _SYSTEM}]
    for asked, answer in _EXAMPLES:
        turns += [
            {"role": "user", "content": _facts(_EXAMPLE_FACTS, asked)},
            {"role": "assistant", "content": answer},
        ]
    return [*turns, *_turns(history), {"role": "user", "content": _facts(facts, question)}]


def plain_prompt(facts: Sequence[Triple], question: str, history: History = ()) -> list[dict[str, str]]:
    """Chat turns without examples."""
    return [{"role": "system", "content": _PLAIN}, *_turns(history), {"role": "user", "content": _facts(facts, question)}]


def _turns(history: History) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for turn in history for role, text in zip(("user", "assistant"), turn, strict=True)]


def _facts(facts: Sequence[Triple], question: str) -> str:
    lines = "\n".join(f"- The {fact.property} of {fact.entity} is {fact.value}." for fact in facts)
    return f"Facts:\n{lines}\n\nQuestion: {question}"


def _prompted(kblam: Any, messages: list[dict[str, str]], before_ms: float = 0.0) -> Reply:
    text, timing = kblam.generate_text(messages, max_new_tokens=MAX_NEW_TOKENS)
    text = text.strip()
    return Reply(
        text,
        reads_as_refusal(text),
        ttft_ms=timing.ttft_ms + before_ms,
        total_ms=timing.total_ms + before_ms,
        tokens=timing.tokens,
    )


BASELINES: dict[str, Callable[[Any, Sequence[Triple]], Ask]] = {
    "dense": dense,
    "rag": rag,
    "rag-plain": rag_plain,
    "in-context": in_context,
    "zero-shot": zero_shot,
}
