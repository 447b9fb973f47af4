"""First stage of training: the question prior, from generated questions and frozen sentence vectors. No backbone is needed.

Texts are encoded once into a pool of vectors; a prepared question holds indices into it. Shapes: C candidates, F lexical features.
"""

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from kblam_core.encoders import SentenceEncoder
from kblam_core.lexical import EntityIndex
from kblam_core.prior import (
    CANDIDATES,
    PriorInputs,
    QuestionPrior,
    answerable,
    candidates,
    prior_loss,
    read,
    readable,
)
from kblam_core.training.generator import Sample


class VectorPool:
    """Sentence vectors by text, in one float16 matrix: `index` notes texts, `fill` encodes those not yet there."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        self.encoder = encoder
        self._numbers: dict[str, int] = {}
        self.vectors = np.zeros((0, encoder.width), dtype=np.float16)

    def index(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def fill(self) -> None:
        fresh = list(self._numbers)[len(self.vectors) :]
        if fresh:
            self.vectors = np.concatenate([self.vectors, self.encoder.encode(fresh).astype(np.float16)])

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self.vectors[indices].astype(np.float32)


@dataclass
class Prepared:
    """One question as indices into the pool. `rows` are the candidates' numbers in the sample's table."""

    sample: Sample
    question: int
    rows: np.ndarray  # (C,)
    residual: np.ndarray  # (C,) pool indices, as all below
    key: np.ndarray
    entity: np.ndarray
    property: np.ndarray
    value: np.ndarray
    lexical: np.ndarray  # (C, F)
    group: np.ndarray
    gold: np.ndarray  # (C,) bool
    key_all: np.ndarray  # (M,) pool indices of every triple's key and value, for the attention stage
    value_all: np.ndarray


def prepare(samples: Iterable[Sample], pool: VectorPool, progress: Callable[[int], None] = lambda _: None) -> list[Prepared]:
    """Encode what the samples need and find each question's candidates as `Kblam.ask` does."""
    samples = list(samples)
    keys = []
    for sample in samples:
        keys.append(
            (
                pool.index(sample.question),
                np.array([pool.index(triple.key_text) for triple in sample.triples]),
                np.array([pool.index(triple.value_text) for triple in sample.triples]),
            )
        )
    pool.fill()
    prepared = []
    indexes: dict[int, EntityIndex] = {}
    for number, (sample, (question, key, value)) in enumerate(zip(samples, keys, strict=True)):
        progress(number)
        index = indexes.get(id(sample.triples))
        if index is None:
            entities = [triple.entity for triple in sample.triples]
            index = indexes[id(sample.triples)] = EntityIndex(entities)
        rows = candidates(pool[question], pool[key], index.coverage(sample.question), CANDIDATES)
        chosen = [sample.triples[row] for row in rows]
        reading = read(sample.question, chosen)
        texts = np.array([pool.index(text) for text in reading.texts])
        prepared.append(
            Prepared(
                sample=sample,
                question=question,
                rows=rows,
                residual=texts[reading.which],
                key=key[rows],
                entity=np.array([pool.index(triple.entity) for triple in chosen]),
                property=np.array([pool.index(readable(triple.property)) for triple in chosen]),
                value=value[rows],
                lexical=reading.lexical,
                group=reading.group,
                gold=np.isin(rows, sample.gold),
                key_all=key,
                value_all=value,
            )
        )
    pool.fill()
    return prepared


def collate(batch: list[Prepared], pool: VectorPool) -> tuple[PriorInputs, torch.Tensor]:
    """Pad the candidates of a batch; returns the inputs and gold (B, C)."""
    most = max(len(item.rows) for item in batch)

    def padded(name: str) -> np.ndarray:
        return np.stack([np.pad(getattr(item, name), (0, most - len(item.rows))) for item in batch])

    def vectors(name: str) -> torch.Tensor:
        return torch.from_numpy(pool[padded(name)])

    lexical = np.stack([np.pad(item.lexical, ((0, most - len(item.rows)), (0, 0))) for item in batch])
    sizes = np.array([len(item.rows) for item in batch])
    inputs = PriorInputs(
        question=torch.from_numpy(pool[np.array([item.question for item in batch])]),
        residual=vectors("residual"),
        key=vectors("key"),
        entity=vectors("entity"),
        property=vectors("property"),
        value=vectors("value"),
        lexical=torch.from_numpy(lexical),
        group=torch.from_numpy(padded("group")),
        padding=torch.from_numpy(np.arange(most)[None] >= sizes[:, None]),
    )
    return inputs, torch.from_numpy(padded("gold").astype(bool))


def train_prior(
    prior: QuestionPrior,
    data: list[Prepared],
    pool: VectorPool,
    *,
    epochs: int = 8,
    batch_size: int = 64,
    rate: float = 1e-3,
    seed: int = 0,
    deadline: float | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> int:
    """Train `prior` in place; `deadline` is a time.monotonic() value. Returns the number of steps made."""
    shuffler = random.Random(seed)
    optimizer = torch.optim.AdamW(prior.parameters(), lr=rate, weight_decay=0.01)
    total = epochs * max(1, len(data) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total + 1, pct_start=0.1)
    prior.train()
    step = 0
    order = list(range(len(data)))
    for _ in range(epochs):
        shuffler.shuffle(order)
        for start in range(0, len(order) - batch_size + 1, batch_size):
            inputs, gold = collate([data[index] for index in order[start : start + batch_size]], pool)
            loss = prior_loss(prior(inputs), gold).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            report(step, float(loss.detach()))
            if deadline is not None and time.monotonic() > deadline:
                prior.eval()
                return step
    prior.eval()
    return step


@torch.no_grad()
def judge_prior(prior: QuestionPrior, data: list[Prepared], pool: VectorPool, *, threshold: float = 0.5) -> dict[str, float]:
    """Share of questions handled right (the right triple on top, or refused), by kind and over all."""
    prior.eval()
    right: dict[str, list[bool]] = {}
    for start in range(0, len(data), 128):
        batch = data[start : start + 128]
        inputs, gold = collate(batch, pool)
        logits = prior(inputs)
        says_yes = answerable(logits) >= threshold
        top = logits.argmax(-1)
        for index, item in enumerate(batch):
            wanted = bool(item.sample.gold)
            fine = bool(says_yes[index]) == wanted and (not wanted or bool(gold[index, top[index]]))
            right.setdefault(item.sample.kind, []).append(fine)
    report = {kind: sum(marks) / len(marks) for kind, marks in sorted(right.items())}
    everything = [mark for marks in right.values() for mark in marks]
    return report | {"all": sum(everything) / max(1, len(everything))}
