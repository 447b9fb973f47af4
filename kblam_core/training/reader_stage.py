"""The reader's stage of training: questions with a handful of facts each, from the people's tables and the generator. Of a question's own
entity it sees most facts, of the others those that look most like an answer.

What the cross-encoder does not see (domains, tables) the reader does not see either: on them the question prior learns how far to
trust both.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kblam_core.encoders import SentenceEncoder
from kblam_core.lexical import EntityIndex
from kblam_core.prior import CANDIDATES, READ, candidates, prior_loss
from kblam_core.reader import FactReader
from kblam_core.training import files
from kblam_core.training.catalogue import load_catalogue
from kblam_core.training.cross_stage import is_left_out
from kblam_core.training.generator import Generator, Sample
from kblam_core.training.people import load_people, people_samples
from kblam_core.training.wording import hurried
from kblam_core.triples import Triple

CHECKPOINT_EVERY = 100  # steps
PEOPLE = 0.65  # share of questions that people asked
PARTS = 3  # of each of the people's tables, asked beside the whole of it
GENERATED = 14_000  # different questions of the generator
PER_TABLE = 16  # of them on one table
MAX_TABLE = 96  # triples in the largest generated table
SORTED = 8  # batches that are sorted by length together
FOREIGN = 2  # facts, at least, that are not of the entity asked for


@dataclass
class ReaderItem:
    """A question with up to READ facts, of which the first `answers` answer it (0: none does)."""

    question: str
    facts: list[Triple]
    answers: int
    packed: tuple[list[int], list[list[int]]] | None = None  # the reader's tokens, once made

    def length(self, reader: FactReader) -> int:
        """Number of tokens."""
        if self.packed is None:
            self.packed = reader.tokens(self.question, self.facts)
        return len(self.packed[0]) + sum(map(len, self.packed[1]))


def reader_items(
    encoder: SentenceEncoder, *, seed: int, generated: int = GENERATED, report: Callable[[int], None] = lambda _: None
) -> tuple[list[ReaderItem], list[ReaderItem]]:
    """(people's questions, the generator's) of what is not left out, a function of the seed."""
    draw = random.Random(seed)
    tables = [table for table in load_people() if not table.left_out]
    people = [_item(sample, encoder, draw) for group in people_samples(tables, parts=PARTS, seed=seed) for sample in group]
    generator = Generator(seed, domains=tuple(domain for domain in load_catalogue() if not is_left_out(domain)), max_triples=MAX_TABLE)
    made: list[ReaderItem] = []
    while len(made) < generated:
        made += [_item(sample, encoder, draw) for sample in generator.samples(PER_TABLE)]
        report(len(made))
    return people, made


def _item(sample: Sample, encoder: SentenceEncoder, draw: random.Random) -> ReaderItem:
    """The answering facts first, then others of the entity asked for, then those that look most like an answer."""
    triples = sample.triples
    keys = encoder.encode([triple.key_text for triple in triples])
    number: dict[str, int] = {}
    name_of = np.array([number.setdefault(triple.entity, len(number)) for triple in triples])
    question = encoder.encode([sample.question])[0]
    looked = candidates(question, keys, EntityIndex(list(number)).coverage(sample.question)[name_of], min(CANDIDATES, len(triples)))
    own = [row for row in np.argsort(-(keys @ question)) if triples[row].entity.casefold() == sample.entity.casefold()]
    own = [row for row in own if row not in sample.gold][: READ + 4]
    draw.shuffle(own)
    rows = [*sample.gold, *own[: max(0, READ - len(sample.gold) - FOREIGN)]]
    rows += [row for row in looked if row not in rows][: READ - len(rows)]
    # A slip in the name of what is not there could spell what is there.
    asked = sample.question if sample.kind in ("near_miss", "missing_entity") else hurried(sample.question, draw)
    return ReaderItem(asked, [triples[row] for row in rows], len(sample.gold))


def train_reader(
    reader: FactReader,
    people: Sequence[ReaderItem],
    generated: Sequence[ReaderItem],
    *,
    steps: int,
    batch_size: int = 16,
    rate: float = 5e-4,
    seed: int = 0,
    deadline: float | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
    checkpoint: Path | None = None,
) -> int:
    """Train the reader's weights in place; `deadline` is a time.monotonic() value. Returns the number of steps made in all.

    checkpoint: a file that is written every CHECKPOINT_EVERY steps, and taken up where it is there and was made with the same settings.
    """
    weights = reader.weights
    groups = [{"params": weights.layers.parameters(), "lr": rate}, {"params": [*weights.head.parameters(), *weights.norm.parameters()]}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [rate, 1e-3], total_steps=steps + 1, pct_start=0.08)
    parts = {"weights": weights, "optimizer": optimizer, "schedule": schedule}
    made_with = [seed, steps, batch_size, rate, len(people), len(generated)]
    before = 0
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if saved["made_with"] == made_with:
            before = saved["step"]
            for name, part in parts.items():
                part.load_state_dict(saved[name])
    weights.train()
    step = before
    source = _batches(reader, people, generated, batch_size, seed)
    for _ in range(before):
        next(source)
    for step in range(before + 1, steps + 1):
        batch = next(source)
        logits = nn.utils.rnn.pad_sequence(reader.read([item.packed for item in batch]), batch_first=True, padding_value=-30.0)
        gold = torch.tensor([[place < item.answers for place in range(logits.shape[1])] for item in batch], device=logits.device)
        loss = prior_loss(logits, gold).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if checkpoint is not None and step % CHECKPOINT_EVERY == 0 and step < steps:
            states = {name: part.state_dict() for name, part in parts.items()}
            files.save({"made_with": made_with, "step": step} | states, checkpoint)
        report(step, float(loss.detach()))
        if deadline is not None and time.monotonic() > deadline:
            break
    weights.eval()
    return step


def _batches(
    reader: FactReader, people: Sequence[ReaderItem], generated: Sequence[ReaderItem], size: int, seed: int
) -> Iterator[list[ReaderItem]]:
    """Batches of questions of like length, PEOPLE of them people's; each question once before any of its source comes again."""
    draw = random.Random(seed)
    left: dict[bool, list[ReaderItem]] = {True: [], False: []}
    while True:
        drawn = []
        for _ in range(size * SORTED):
            by_people = bool(people) and (not generated or draw.random() < PEOPLE)
            source = people if by_people else generated
            left[by_people] = left[by_people] or draw.sample(list(source), len(source))
            drawn.append(left[by_people].pop())
        drawn.sort(key=lambda item: item.length(reader))
        batches = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        draw.shuffle(batches)
        yield from batches
