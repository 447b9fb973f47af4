"""The question prior's stage of training, from prepared questions: what cross-encoder and reader say of them, then the network itself.

Shapes: B questions, C candidates.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence

import numpy as np
import torch

from kblam_core.cross_encoder import CrossEncoder
from kblam_core.encoders import SentenceEncoder
from kblam_core.prior import NOT_READ, READ, PriorInputs, QuestionPrior, answerable, prior_loss
from kblam_core.reader import FactReader
from kblam_core.training.prepared import Prepared

UNREAD = 0.3  # share of the questions that training shows as they look before the reader has read
NEAR_MISS = 2  # how often a question for a name like a held one is seen in an epoch: a wrong answer to it is the hardest to notice


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


@torch.no_grad()
def read_facts(
    data: Sequence[Prepared], prior: QuestionPrior, reader: FactReader | None, report: Callable[[int], None] = lambda _: None
) -> None:
    """Note the reader's logits of the READ facts that `prior` finds best without it, in every item that has none yet."""
    todo = [item for item in data if item.reader is None] if reader is not None else []
    prior.eval()
    for start in range(0, len(todo), 256):
        batch = todo[start : start + 256]
        logits = prior(collate(batch)[0])
        best = [row[: len(item.rows)].topk(min(READ, len(item.rows))).indices.numpy() for row, item in zip(logits, batch, strict=True)]
        facts = [[item.sample.triples[item.rows[place]] for place in places] for item, places in zip(batch, best, strict=True)]
        read = reader.logits_of([(item.sample.question, triples) for item, triples in zip(batch, facts, strict=True)])
        for item, places, found in zip(batch, best, read, strict=True):
            item.reader = np.full(len(item.rows), NOT_READ, dtype=np.float32)
            item.reader[places] = found
        report(start + len(batch))


def collate(batch: Sequence[Prepared], *, unread: Collection[int] = ()) -> tuple[PriorInputs, torch.Tensor]:
    """Pad the candidates of a batch that was read across; returns the inputs and gold (B, C). unread: places in the batch of questions
    shown as they look before the reader has read."""
    width = max(len(item.rows) for item in batch)

    def padded(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([_fill(getattr(item, name), width) for item in batch]))

    def read(place: int, item: Prepared) -> np.ndarray:
        seen = item.reader is not None and place not in unread
        return _fill(item.reader if seen else np.full(len(item.rows), NOT_READ, dtype=np.float32), width)

    sizes = np.array([len(item.rows) for item in batch])
    inputs = PriorInputs(
        cosines=padded("cosines"),
        elsewhere=padded("elsewhere"),
        cross=padded("cross"),
        reader=torch.from_numpy(np.stack([read(place, item) for place, item in enumerate(batch)])),
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
            batch = [data[index] for index in order[start : start + batch_size]]
            inputs, gold = collate(batch, unread=[place for place in range(len(batch)) if shuffler.random() < UNREAD])
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
