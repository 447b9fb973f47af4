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
    statement,
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
    statement: np.ndarray
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
    indexes: dict[tuple[str, ...], EntityIndex] = {}
    for number, (sample, (question, key, value)) in enumerate(zip(samples, keys, strict=True)):
        progress(number)
        entities = tuple(triple.entity for triple in sample.triples)
        if entities not in indexes:
            indexes[entities] = EntityIndex(entities)
        index = indexes[entities]
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
                statement=np.array([pool.index(statement(triple)) for triple in chosen]),
                lexical=reading.lexical,
                group=reading.group,
                gold=np.isin(rows, sample.gold),
                key_all=key,
                value_all=value,
            )
        )
    pool.fill()
    return prepared


def collate(
    batch: list[Prepared], pool: VectorPool, *, most: int | None = None, source: random.Random | None = None
) -> tuple[PriorInputs, torch.Tensor]:
    """Pad the candidates of a batch; returns the inputs and gold (B, C).

    With `most`, a longer list is thinned (training only): what answers and the nearest half stay, the rest is drawn from `source`.
    """
    kept = [_thin(item, most, source) if most and len(item.rows) > most else np.arange(len(item.rows)) for item in batch]
    width = max(len(rows) for rows in kept)

    def padded(name: str) -> np.ndarray:
        return np.stack([_fill(getattr(item, name)[rows], width) for item, rows in zip(batch, kept, strict=True)])

    def vectors(name: str) -> torch.Tensor:
        return torch.from_numpy(pool[padded(name)])

    def few(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The different vectors of a kind, and which one is each candidate's."""
        found = [np.unique(getattr(item, name)[rows], return_inverse=True) for item, rows in zip(batch, kept, strict=True)]
        most_found = max(len(different) for different, _ in found)
        different = np.stack([_fill(one, most_found) for one, _ in found])
        return torch.from_numpy(pool[different]), torch.from_numpy(np.stack([_fill(which, width) for _, which in found]))

    readings, reading_of = few("residual")
    names, name_of = few("property")
    sizes = np.array([len(rows) for rows in kept])
    inputs = PriorInputs(
        question=torch.from_numpy(pool[np.array([item.question for item in batch])]),
        readings=readings,
        reading_of=reading_of,
        names=names,
        name_of=name_of,
        key=vectors("key"),
        entity=vectors("entity"),
        value=vectors("value"),
        statement=vectors("statement"),
        lexical=torch.from_numpy(padded("lexical")),
        group=torch.from_numpy(padded("group")),
        padding=torch.from_numpy(np.arange(width)[None] >= sizes[:, None]),
    )
    return inputs, torch.from_numpy(padded("gold").astype(bool))


def _fill(array: np.ndarray, length: int) -> np.ndarray:
    return np.pad(array, [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1))


def _thin(item: Prepared, most: int, source: random.Random | None) -> np.ndarray:
    must = list(dict.fromkeys([*np.flatnonzero(item.gold).tolist(), *range(most // 2)]))
    rest = [row for row in range(len(item.rows)) if row not in set(must)]
    return np.array(must + (source or random.Random(0)).sample(rest, max(0, most - len(must))))


def train_prior(
    prior: QuestionPrior,
    data: list[Prepared],
    pool: VectorPool,
    *,
    epochs: int = 8,
    batch_size: int = 64,
    rate: float = 2e-3,
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
            inputs, gold = collate([data[index] for index in order[start : start + batch_size]], pool, most=24, source=shuffler)
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
