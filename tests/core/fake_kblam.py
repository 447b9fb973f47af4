"""A stand-in for Kblam that answers by word overlap, so that evaluation and commands are tested without weights."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from zlib import crc32

import numpy as np

from tests.core.tiny import tiny_adapter

TIMING = SimpleNamespace(ttft_ms=10.0, total_ms=110.0, tokens=11)
WIDTH = 256


class FakeEncoder:
    """Bags of hashed words, unit length."""

    def encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().replace("?", " ").split():
                vectors[row, crc32(word.encode()) % WIDTH] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


@dataclass
class FakeBase:
    triples: list
    saved_to: object = None

    def __len__(self) -> int:
        return len(self.triples)

    def sending(self, triples) -> None:
        return None

    def update(self, triples) -> int:
        changed = len(set(triples) - set(self.triples))
        self.triples = list(triples)
        return changed

    def save(self, path) -> None:
        path.write_bytes(b"encoded")


class FakeKblam:
    """Answers with the fact whose key shares most words with the question; refuses below a similarity of 0.6."""

    backbone_name = "smollm2-135m"
    context_window = 2048

    def __init__(self) -> None:
        self.encoder = FakeEncoder()
        self.adapter = tiny_adapter()
        self.asked: list[str] = []
        self.prompts: list[list[dict[str, str]]] = []
        self.options = None

    def knowledge_base(self, triples=()) -> FakeBase:
        return FakeBase(list(triples))

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate_text(self, messages, *, max_new_tokens=64):
        self.prompts.append(messages)
        facts = [line[2:] for line in messages[-1]["content"].splitlines() if line.startswith("- ")]
        return (facts[0] if facts else "I do not know."), TIMING

    def ask(self, kb, question, *, history=(), options=None):
        self.asked.append(question)
        self.options = options
        triples = kb.triples
        if not triples:
            return self._answer("The table is empty.", True, "empty_table", [], [])
        said = " ".join([*(asked for asked, _ in history), question])
        near = self.encoder.encode([t.key_text for t in triples]) @ self.encoder.encode([said])[0]
        order = np.argsort(-near, kind="stable")[:5]
        nearest = [
            SimpleNamespace(
                index=int(i),
                entity=triples[i].entity,
                property=triples[i].property,
                value=triples[i].value,
                weight=0.8,
            )
            for i in order
        ]
        if near[order[0]] < 0.6:
            return self._answer("The table does not say.", True, "refused", [], nearest)
        best = nearest[0]
        text = f"The {best.property} of {best.entity} is {best.value}."
        return self._answer(text, False, "answered", nearest[:1], nearest)

    def ask_many(self, kb, questions, *, histories=(), options=None):
        return (self.ask(kb, question, history=history, options=options) for question, history in zip(questions, histories, strict=True))

    def stream(self, kb, question, *, history=(), options=None):
        answer = self.ask(kb, question, options=options)
        yield from (word + " " for word in answer.text.split())
        yield answer

    def _answer(self, text, refused, state, sources, nearest):
        fields = {"text": text, "refused": refused, "state": state, "sources": sources, "nearest": nearest}
        answer = SimpleNamespace(**fields, kb_mass=0.5, confidence=0.1 if refused else 0.9, timing=TIMING, trace=None)
        answer.to_dict = lambda: {
            "answer": text,
            "refused": refused,
            "sources": [vars(source) for source in sources],
        }
        return answer
