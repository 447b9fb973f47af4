"""A stand-in for the model that answers by shared words, so that the page's own logic is tested in milliseconds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import numpy as np

from kblam_core import Answer, AskOptions, ModelShape, Source, Timing, Trace, Triple

EMPTY_TEXT = "The table is empty, so there is nothing to answer from."
REFUSAL_TEXT = "I cannot find that in the table."


class FakeEncoder:
    """Texts as counts of hashed words."""

    name = "fake"

    def encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.casefold()):
                vectors[row, sum(word.encode()) % 64] += 1
        return vectors


class FakeBase:
    """What the page needs of a KnowledgeBase: the triples and a length."""

    encoder = FakeEncoder()

    def __init__(self, triples: list[Triple]) -> None:
        self.triples = list(triples)
        self.encoded = len(self.triples)

    @property
    def key_vectors(self) -> np.ndarray:
        return FakeEncoder().encode([triple.key_text for triple in self.triples])

    @property
    def value_vectors(self) -> np.ndarray:
        return FakeEncoder().encode([triple.value_text for triple in self.triples])

    def __len__(self) -> int:
        return len(self.triples)

    def sending(self, triples: list[Triple]) -> None:
        return None

    def update(self, triples: list[Triple]) -> int:
        changed = len(set(triples) - set(self.triples))
        self.triples = list(triples)
        self.encoded += changed
        return changed


class FakeKblam:
    """Answers with the fact that shares most words with the question; refuses below three shared words."""

    kb_layers = [3, 9, 15]
    num_heads = 3
    shape = ModelShape("fake-model", "fake-encoder", encoder_width=64, depth=18, layers=[3, 9, 15], heads=3, head_width=16)
    context_window = 2_048
    encoder = FakeEncoder()

    def __init__(self, delay: float = 0.0, error: Exception | None = None) -> None:
        self.delay = delay
        self.error = error
        self._lock = threading.Lock()
        self.asked: list[tuple[str, tuple, AskOptions]] = []

    def knowledge_base(self, triples: list[Triple]) -> FakeBase:
        return FakeBase(triples)

    def stream(self, kb, question, *, history=(), options=None) -> Iterator[str | Answer]:
        options = options or AskOptions()
        self.asked.append((question, tuple(history), options))
        if self.error:
            raise self.error
        ranked = sorted(self._sources(kb, question), key=lambda source: -source.weight)[:5]
        if not len(kb):
            yield EMPTY_TEXT
            yield self._answer(EMPTY_TEXT, "empty_table", [], [], None)
            return
        found = ranked[0].weight >= 0.5
        best = ranked[0]
        text = f"The {best.property} of {best.entity} is {best.value}." if found else REFUSAL_TEXT
        with self._lock:  # as the real model: held from the first word to the last
            for word in re.findall(r"\S+\s*", text):
                time.sleep(self.delay)
                yield word
        trace = self._trace(question, text, kb, best.index) if options.trace else None
        used = ranked[:1] if found else []
        yield self._answer(text, "answered" if found else "refused", used, ranked, trace)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate_text(self, messages: list[dict[str, str]], *, max_new_tokens: int = 64) -> tuple[str, Timing]:
        """The first fact of the prompt, or a refusal without facts."""
        time.sleep(self.delay)
        facts = re.findall(r"^- (.+)$", messages[-1]["content"], re.MULTILINE)
        return facts[0] if facts else "I do not know.", Timing(50.0, 60.0, 8)

    def ask(self, kb, question, *, history=(), options=None) -> Answer:
        return list(self.stream(kb, question, history=history, options=options))[-1]

    def _sources(self, kb, question: str) -> list[Source]:
        words = set(re.findall(r"\w+", question.casefold()))
        rows = []
        for index, triple in enumerate(kb.triples):
            own = set(re.findall(r"\w+", triple.key_text.casefold())) - {"the", "of"}
            share = len(own & words) / max(len(own), 1)
            rows.append(Source(index, triple.entity, triple.property, triple.value, share))
        return rows

    def _answer(self, text, state, used, nearest, trace) -> Answer:
        mass = 0.6 if used else 0.05
        timing = Timing(ttft_ms=120.0, total_ms=800.0, tokens=len(text.split()))
        return Answer(text, state != "answered", state, mass, 0.9 if used else 0.1, used, nearest, timing, trace)

    def _trace(self, question: str, text: str, kb, best: int) -> Trace:
        asked, said = re.findall(r"\s*\S+", question), re.findall(r"\s*\S+", text)
        facts = [best] + [index for index in range(len(kb)) if index != best][:11]
        generator = np.random.default_rng(0)
        shape = (len(self.kb_layers), self.num_heads, len(asked) + len(said), len(facts) + 2)
        weights = generator.random(shape) * 0.2
        weights[..., 0] += np.linspace(0.2, 3.0, shape[2])
        weights /= weights.sum(-1, keepdims=True)
        prior = [0.9 if number == 0 else 0.01 for number in range(len(facts))]
        return Trace(asked, said, self.kb_layers, self.num_heads, facts, weights.astype(np.float16), prior)
