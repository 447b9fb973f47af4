"""Second stage of training: the question prior, from generated questions. No backbone is needed.

Texts are encoded once into a pool of vectors; a prepared question holds indices into it. Shapes: C candidates, F lexical features.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

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
    elsewhere,
    prior_loss,
    read,
    readable,
    statement,
)
from kblam_core.telling import Telling
from kblam_core.training.generator import Sample
from kblam_core.triples import Triple
from kblam_core.wording_memory import WordingMemory, recall

KEPT_WHOLE = 256  # of a larger table only the candidates are kept
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
    elsewhere: np.ndarray  # (C, 6)
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
    tables: dict[tuple[Triple, ...], _Table] = {}
    drafts = []
    for sample in samples:
        if sample.triples not in tables:
            tables[sample.triples] = _Table(sample.triples, pool)
        drafts.append((sample, pool.index(sample.question), tables[sample.triples]))
    pool.fill()
    found = []
    for number, (sample, question, table) in enumerate(drafts):
        progress(number)
        coverage = table.names.coverage(sample.question)[table.name_of]
        rows = candidates(pool[question], pool[table.key], coverage, CANDIDATES)
        key, value = table.key, table.value
        if len(sample.triples) > KEPT_WHOLE:
            if sample.gold and not np.isin(rows, sample.gold).any():
                continue  # the answer is out of sight: nothing to learn from
            gold = tuple(np.flatnonzero(np.isin(rows, sample.gold)).tolist())
            key, value = key[rows], value[rows]
            sample, rows = replace(sample, triples=tuple(sample.triples[row] for row in rows), gold=gold), np.arange(len(rows))
        chosen = [sample.triples[row] for row in rows]
        reading = read(sample.question, chosen, table.telling)
        texts = np.array([pool.index(text) for text in reading.texts])
        named = {
            "entity": np.array([pool.index(triple.entity) for triple in chosen]),
            "property_": np.array([pool.index(readable(triple.property)) for triple in chosen]),
            "statement": np.array([pool.index(statement(triple)) for triple in chosen]),
        }
        found.append((sample, question, key, value, rows, reading, texts, named))
    pool.fill()
    return [_prepared(*draft, pool, memory) for draft in found]


class _Table:
    """What all questions on one table share: places of its keys and values in the pool (M,), its names and what tells them apart."""

    def __init__(self, triples: Sequence[Triple], pool: VectorPool) -> None:
        self.key = np.array([pool.index(triple.key_text) for triple in triples])
        self.value = np.array([pool.index(triple.value_text) for triple in triples])
        number: dict[str, int] = {}  # each name once, as in a knowledge base
        self.name_of = np.array([number.setdefault(triple.entity, len(number)) for triple in triples])
        self.names = EntityIndex(list(number))
        self.telling = Telling(triples)


def _prepared(
    sample: Sample,
    question: int,
    key: np.ndarray,
    value: np.ndarray,
    rows: np.ndarray,
    reading: Reading,
    texts: np.ndarray,
    named: dict[str, np.ndarray],
    pool: VectorPool,
    memory: WordingMemory | None,
) -> Prepared:
    """key, value (M,), texts (R,) and named (C,) each are places in the pool."""
    expected, familiar = recall(memory, pool[texts])
    vectors = {name: pool[numbers] for name, numbers in named.items()}
    of_property = {name: vectors[name] for name in ("property_", "statement")}
    return Prepared(
        sample=sample,
        rows=rows,
        readings=reading.texts,
        reading_of=reading.which,
        cosines=cosines(
            pool[question],
            pool[texts[reading.which]],
            key=pool[key[rows]],
            value=pool[value[rows]],
            **vectors,
            expected=expected[reading.which],
            familiar=familiar[reading.which],
        ),
        elsewhere=elsewhere(reading, pool[texts], expected, [readable(sample.triples[row].property) for row in rows], **of_property),
        lexical=reading.lexical,
        group=reading.group,
        gold=np.isin(rows, sample.gold),
        key_all=key,
        value_all=value,
    )


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
        elsewhere=padded("elsewhere"),
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
