"""The writer: puts an answer into words, token by token, with the backbone and its adapter.

What is written depends on the arguments alone; the only thing shared is the lock, which is held for one token at a time, so that a
stream whose reader pauses or goes away holds up nobody.

Shapes: M shortlisted triples.
"""

import time
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TypeVar

import numpy as np
import torch

from kblam_core.adapter import KblamAdapter
from kblam_core.answer import Answer, AskOptions, Source, Timing
from kblam_core.copying import CopyState
from kblam_core.decoding import Prefill, Step, decode, decode_plain
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.prompt import REFUSAL, UNGROUNDED, Sentences, build_prompt, chat_text
from kblam_core.ranking import answerable, own_probability
from kblam_core.trace import TraceRecorder
from kblam_core.triples import Triple

Part = TypeVar("Part")
UNGROUNDED_TOKENS = 96  # of an answer from an empty table
HALF = "·"  # shown for a token that ends in the middle of a character
USED_SHARE = 0.2  # a fact whose share of the table's attention reaches this counts as used


class Writer:
    """Writes with a backbone to which the adapter is attached."""

    def __init__(self, backbone: torch.nn.Module, tokenizer, adapter: KblamAdapter) -> None:
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.adapter = adapter
        self._sentences = Sentences(tokenizer)
        self._lock = Lock()

    def from_facts(
        self, kb: KnowledgeBase, question: str, rows: np.ndarray, logits: np.ndarray | None, options: AskOptions, started: float
    ) -> Iterator[str | Answer]:
        """The answer's text in pieces, then one Answer. rows, logits (M,): the shortlist and its prior, as `rank` gives them.

        started: time.perf_counter() when the question came; the timing counts from there.
        """
        prompt = build_prompt(self.tokenizer, question, self.adapter.config.prompt)
        triples = [kb.triples[row] for row in rows]
        sure = None
        if logits is not None:
            # The threshold shifts the odds: at 0.5 they stay as they are.
            sure = answerable(logits, shift=np.log(options.threshold / (1 - options.threshold)))
        device = next(self.adapter.parameters()).device
        with torch.inference_mode():
            knowledge = self.adapter.knowledge(
                torch.from_numpy(kb.key_vectors[rows])[None].to(device),
                torch.from_numpy(kb.value_vectors[rows])[None].to(device),
                prior=None if logits is None else torch.from_numpy(logits)[None].to(device),
            )
        copy = self._copy_state(triples, logits) if options.copy else None
        recorder = None
        if options.trace:
            prior = None if logits is None else own_probability(logits, triples)
            recorder = TraceRecorder(list(self.adapter.config.layers), self.adapter.config.heads, rows, prior)
        steps: list[Step] = []
        prefill: Prefill | None = None
        words = _Words(self.tokenizer)
        first_at = None
        parts = decode(
            self.backbone,
            self.adapter,
            prompt,
            knowledge,
            copy=copy,
            answerable=sure,
            refusal=self._sentences.refusal,
            end=self._sentences.end,
            max_new_tokens=options.max_new_tokens,
        )
        for part in self._in_turns(parts):
            if isinstance(part, Prefill):
                prefill = part
                if recorder:
                    question_words = _Words(self.tokenizer)
                    asked = [self._show(question_words.add(token), token) for token in prompt.ids[prompt.start : prompt.end]]
                    recorder.question(asked, part.kb_weights[:, :, prompt.start : prompt.end])
                continue
            first_at = first_at or since(started)
            steps.append(part)
            piece = words.add(part.token)
            if recorder:
                recorder.answer(self._show(piece, part.token), part.kb_weights)
            if piece:
                yield piece
        text = words.text.strip()
        refused = text.startswith(REFUSAL[:20])
        shares = prefill.shares
        yield Answer(
            text=text,
            refused=refused,
            state="refused" if refused else "answered",
            kb_mass=float(np.mean([step.mass for step in steps])) if steps else 0.0,
            confidence=_confidence(steps, logits),
            sources=[] if refused else _used(kb, rows, steps, copy),
            nearest=[_source(kb, rows, number, shares) for number in np.argsort(-shares, kind="stable")[:5]],
            timing=Timing(first_at or since(started), since(started), len(steps)),
            trace=recorder.finish() if recorder else None,
        )

    def without_facts(self, question: str, options: AskOptions, started: float) -> Iterator[str | Answer]:
        """An empty table: the backbone answers from its memory, and says so first."""
        first_at = since(started)
        yield UNGROUNDED
        pieces = [UNGROUNDED]
        for piece in self.plain([{"role": "user", "content": question}], min(options.max_new_tokens, UNGROUNDED_TOKENS)):
            pieces.append(piece)
            if piece:
                yield piece
        timing = Timing(first_at, since(started), len(pieces) - 1)
        yield Answer("".join(pieces).strip(), False, "empty_table", 0.0, 0.0, [], [], timing)

    def plain(self, messages: list[dict[str, str]], max_new_tokens: int) -> Iterator[str]:
        """What the backbone alone says, a piece for every token (empty while a character is not whole)."""
        prompt = self.tokenizer(chat_text(self.tokenizer, messages), add_special_tokens=False)["input_ids"]
        words = _Words(self.tokenizer)
        for token in self._in_turns(decode_plain(self.backbone, prompt, end=self._sentences.end, max_new_tokens=max_new_tokens)):
            yield words.add(token)

    def _in_turns(self, parts: Iterator[Part]) -> Iterator[Part]:
        while True:
            with self._lock:
                part = next(parts, None)
            if part is None:
                return
            yield part

    def _copy_state(self, triples: Sequence[Triple], logits: np.ndarray | None) -> CopyState:
        return CopyState(
            firsts=self._sentences.facts(triples, first=True),
            others=self._sentences.facts(triples, first=False),
            refusal=self._sentences.refusal,
            end=self._sentences.end,
            more=own_probability(logits, triples),
        )

    def _show(self, piece: str, token: int) -> str:
        """A token as the page shows it: what it adds to the text, HALF where that is not yet a whole character ("Å" is two tokens)."""
        return piece or self.tokenizer.decode([token]).replace("\ufffd", HALF)


class _Words:
    """Turns tokens into text as they come."""

    def __init__(self, tokenizer) -> None:
        self.text = ""
        self._tokenizer = tokenizer
        self._ids: list[int] = []

    def add(self, token: int) -> str:
        """What the token adds to the text; "" while the bytes of a character are not all there."""
        self._ids.append(token)
        whole = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        if whole.endswith("\ufffd"):
            return ""
        piece, self.text = whole[len(self.text) :], whole
        return piece


def since(started: float) -> float:
    """Milliseconds from `started`, a time.perf_counter(), until now."""
    return 1000 * (time.perf_counter() - started)


def _used(kb: KnowledgeBase, rows: np.ndarray, steps: list[Step], copy: CopyState | None) -> list[Source]:
    """The facts that the answer copied, or the up to three that it looked at, and those that got a good share; strongest first."""
    if not steps:
        return []
    shares = np.mean([step.shares for step in steps], axis=0)
    copied = copy.used if copy else []
    strongest = np.argsort(-shares, kind="stable")
    if copied:
        numbers = [number for number in strongest if number in copied or shares[number] >= USED_SHARE]
    else:
        numbers = [number for number in strongest if shares[number] >= USED_SHARE][:3]
    return [_source(kb, rows, number, shares) for number in numbers]


def _confidence(steps: list[Step], logits: np.ndarray | None) -> float:
    if logits is not None:
        return answerable(logits)
    return 1.0 - steps[0].refusal if steps else 0.0


def _source(kb: KnowledgeBase, rows: np.ndarray, number: int, shares: np.ndarray) -> Source:
    triple = kb.triples[rows[number]]
    return Source(int(rows[number]), triple.entity, triple.property, triple.value, float(shares[number]))
