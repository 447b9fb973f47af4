"""Second stage of training: the question prior, from generated questions. No backbone is needed.

Texts are encoded once into a pool of vectors; a prepared question holds indices into it. Shapes: C candidates, F lexical features.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kblam_core.cross_encoder import CrossEncoder
from kblam_core.encoders import SentenceEncoder
from kblam_core.lexical import EntityIndex
from kblam_core.prior import (
    CANDIDATES,
    CROSS_READ,
    NOT_READ,
    PriorInputs,
    QuestionPrior,
    Reading,
    answerable,
    candidates,
    cosines,
    prior_loss,
    read,
    readable,
    statement,
)
from kblam_core.training.generator import Sample
from kblam_core.wording_memory import WordingMemory, recall

NEAR_MISS = 2  # how often a question for a name like a held one is seen in an epoch: a wrong answer to it is the hardest to notice


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
    """One question with what the prior sees of its candidates. `rows` are the candidates' numbers in the sample's table."""

    sample: Sample
    rows: np.ndarray  # (C,)
    readings: list[str]
    reading_of: np.ndarray  # (C,) which reading goes with which candidate
    cosines: np.ndarray  # (C, 8)
    lexical: np.ndarray  # (C, F)
    group: np.ndarray
    gold: np.ndarray  # (C,) bool
    key_all: np.ndarray  # (M,) pool indices of every triple's key and value, for the attention stage
    value_all: np.ndarray
    cross: np.ndarray | None = None  # (C,) logits of the cross-encoder, once read

    def pairs(self) -> tuple[list[str], list[str]]:
        """What the cross-encoder reads: readings and statements of the first CROSS_READ candidates."""
        count = min(CROSS_READ, len(self.rows))
        facts = [statement(self.sample.triples[row]) for row in self.rows[:count]]
        return [self.readings[number] for number in self.reading_of[:count]], facts


def prepare(
    samples: Iterable[Sample],
    pool: VectorPool,
    progress: Callable[[int], None] = lambda _: None,
    *,
    memory: WordingMemory | None = None,
) -> list[Prepared]:
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
    drafts = []
    indexes: dict[tuple[str, ...], EntityIndex] = {}
    for number, (sample, (question, key, value)) in enumerate(zip(samples, keys, strict=True)):
        progress(number)
        entities = tuple(dict.fromkeys(triple.entity for triple in sample.triples))  # each once, as in a knowledge base
        if entities not in indexes:
            indexes[entities] = EntityIndex(entities)
        index = indexes[entities]
        place = {entity: number for number, entity in enumerate(entities)}
        coverage = index.coverage(sample.question)[[place[triple.entity] for triple in sample.triples]]
        rows = candidates(pool[question], pool[key], coverage, CANDIDATES)
        chosen = [sample.triples[row] for row in rows]
        reading = read(sample.question, chosen, index.telling)
        texts = np.array([pool.index(text) for text in reading.texts])
        named = {
            "entity": np.array([pool.index(triple.entity) for triple in chosen]),
            "property_": np.array([pool.index(readable(triple.property)) for triple in chosen]),
            "statement": np.array([pool.index(statement(triple)) for triple in chosen]),
        }
        drafts.append((sample, question, key, value, rows, reading, texts, named))
    pool.fill()
    return [
        Prepared(
            sample=sample,
            rows=rows,
            readings=reading.texts,
            reading_of=reading.which,
            cosines=cosines(
                pool[question],
                pool[texts[reading.which]],
                key=pool[key[rows]],
                value=pool[value[rows]],
                **{name: pool[numbers] for name, numbers in named.items()},
                **_recalled(memory, pool[texts], reading),
            ),
            lexical=reading.lexical,
            group=reading.group,
            gold=np.isin(rows, sample.gold),
            key_all=key,
            value_all=value,
        )
        for sample, question, key, value, rows, reading, texts, named in drafts
    ]


def _recalled(memory: WordingMemory | None, readings: np.ndarray, reading: Reading) -> dict[str, np.ndarray]:
    expected, familiar = recall(memory, readings)
    return {"expected": expected[reading.which], "familiar": familiar[reading.which]}


def read_across(
    data: Sequence[Prepared], cross: CrossEncoder | None, encoder: SentenceEncoder, *, dtype: torch.dtype | None = None
) -> None:
    """Note the cross-encoder's logits (NOT_READ without one) in every item that has none yet."""
    todo = [item for item in data if item.cross is None]
    for item in todo:
        item.cross = np.full(len(item.rows), NOT_READ, dtype=np.float32)
    if cross is None or not todo:
        return
    pairs = [item.pairs() for item in todo]
    questions, facts = ([text for pair in pairs for text in pair[side]] for side in (0, 1))
    logits = cross.logits(encoder, questions, facts, dtype=dtype).numpy()
    start = 0
    for item, (_, texts) in zip(todo, pairs, strict=True):
        item.cross[: len(texts)] = logits[start : start + len(texts)]
        start += len(texts)


def collate(batch: Sequence[Prepared]) -> tuple[PriorInputs, torch.Tensor]:
    """Pad the candidates of a batch that was read across; returns the inputs and gold (B, C)."""
    width = max(len(item.rows) for item in batch)

    def padded(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([_fill(getattr(item, name), width) for item in batch]))

    sizes = np.array([len(item.rows) for item in batch])
    inputs = PriorInputs(
        cosines=padded("cosines"),
        cross=padded("cross"),
        lexical=padded("lexical"),
        group=padded("group"),
        padding=torch.from_numpy(np.arange(width)[None] >= sizes[:, None]),
    )
    return inputs, padded("gold")


def _fill(array: np.ndarray, length: int) -> np.ndarray:
    return np.pad(array, [(0, length - len(array))] + [(0, 0)] * (array.ndim - 1))


def seen_in_an_epoch(data: Sequence[Prepared]) -> list[int]:
    """Places in `data`, each as often as an epoch shows that question: near misses NEAR_MISS times, all others once."""
    return [number for number, item in enumerate(data) for _ in range(NEAR_MISS if item.sample.kind == "near_miss" else 1)]


def train_prior(
    prior: QuestionPrior,
    data: list[Prepared],
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
    order = seen_in_an_epoch(data)
    total = epochs * max(1, len(order) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=total + 1, pct_start=0.1)
    prior.train()
    step = 0
    for _ in range(epochs):
        shuffler.shuffle(order)
        for start in range(0, len(order) - batch_size + 1, batch_size):
            inputs, gold = collate([data[index] for index in order[start : start + batch_size]])
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
def judge_prior(prior: QuestionPrior, data: list[Prepared], *, threshold: float = 0.5) -> dict[str, float]:
    """Share of questions handled right (the right triple on top, or refused), by kind and over all."""
    prior.eval()
    right: dict[str, list[bool]] = {}
    for start in range(0, len(data), 128):
        batch = data[start : start + 128]
        inputs, gold = collate(batch)
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
