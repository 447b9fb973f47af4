"""Batches of the attention stage: prompts, answers, knowledge, and which facts the copy gate could follow at each token.

Shapes: B questions, P prompt tokens (left-padded), A answer tokens (right-padded), M triples (padded), E sentence width.
"""

import copy
import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kblam_core.adapter import KblamAdapter
from kblam_core.backbones import has_bfloat16
from kblam_core.prior import FLOOR, answerable
from kblam_core.prompt import Sentences, build_prompt
from kblam_core.training.prepared import Prepared, VectorPool
from kblam_core.training.prior_stage import collate, read_across
from kblam_core.triples import Triple


@dataclass
class Batch:
    """Everything a training step needs, padded."""

    input_ids: Tensor  # (B, P + A)
    attention_mask: Tensor  # (B, P + A)
    position_ids: Tensor  # (B, P + A)
    targets: Tensor  # (B, A)
    target_mask: Tensor  # (B, A)
    key_vectors: Tensor  # (B, M, E)
    value_vectors: Tensor  # (B, M, E)
    padding: Tensor  # (B, M)
    prior: Tensor  # (B, M)
    answerable: Tensor  # (B,)
    has_answer: Tensor  # (B,) bool
    alive: Tensor  # (B, A, M) facts whose sentence the answer follows before this token
    hit: Tensor  # (B, A, M) ... and whose next token is the target
    fixed_copy: Tensor  # (B, A) copy probability where it does not depend on attention; -1 elsewhere
    gold: Tensor  # (B, A, M) facts that this token's attention should go to

    def to(self, device: str) -> "Batch":
        return Batch(**{name: getattr(self, name).to(device) for name in self.__dataclass_fields__})


@dataclass
class _Example:
    prompt: list[int]
    answer: list[int]
    rows: np.ndarray  # (m,) rows of the sample's table
    prior: np.ndarray  # (m,)
    sure: float
    alive: np.ndarray  # (a, m)
    hit: np.ndarray
    fixed: np.ndarray  # (a,)
    gold: np.ndarray  # (a, m)


class Batcher:
    """Turns prepared questions into batches, with the trained prior's logits."""

    def __init__(self, tokenizer, pool: VectorPool, adapter: KblamAdapter, *, max_triples: int, seed: int) -> None:
        self._tokenizer = tokenizer
        self._sentences = Sentences(tokenizer)
        self._pool = pool
        # A frozen copy on the CPU, where batches are made.
        self._prior = copy.deepcopy(adapter.prior).cpu().eval().requires_grad_(False)
        self._cross = adapter.cross
        self._max_triples = max_triples
        self._seed = seed
        self._ids: dict[Triple, tuple[list[int], list[int]]] = {}

    def __call__(self, items: list[Prepared]) -> Batch:
        with torch.no_grad():
            read_across(items, self._cross, self._pool.encoder, dtype=torch.bfloat16 if has_bfloat16() else None)
            logits = self._prior(collate(items)[0])
            sure = answerable(logits).numpy()
        examples = [self._example(item, logits[number].numpy(), float(sure[number])) for number, item in enumerate(items)]
        return self._pad(items, examples)

    def _sentence(self, triple: Triple, first: bool) -> list[int]:
        if triple not in self._ids:
            if len(self._ids) > 50_000:
                self._ids.clear()
            self._ids[triple] = (self._sentences.fact(triple), self._sentences.fact(triple, first=False))
        return self._ids[triple][0 if first else 1]

    def _rows(self, item: Prepared) -> np.ndarray:
        """The sample's triples, cut to max_triples: the answering ones, the nearest and some at random."""
        count = len(item.key_all)
        if count <= self._max_triples:
            return np.arange(count)
        must = list(dict.fromkeys([*item.sample.gold, *item.rows[: self._max_triples // 2].tolist()]))
        held = set(must)
        rest = [row for row in range(count) if row not in held]
        source = random.Random(f"{self._seed}-{item.sample.question}")  # the same after a resume
        return np.array(must + source.sample(rest, max(0, self._max_triples - len(must))))

    def _example(self, item: Prepared, logits: np.ndarray, sure: float) -> _Example:
        sample = item.sample
        rows = self._rows(item)
        by_row = np.full(len(sample.triples), FLOOR, dtype=np.float32)
        by_row[item.rows] = logits[: len(item.rows)]
        prior = by_row[rows]
        own = 1 / (1 + np.exp(-prior))
        place = {int(row): number for number, row in enumerate(rows)}
        gold = [place[row] for row in sample.gold]
        facts = [sample.triples[row] for row in rows]
        answer: list[int] = []
        alive, hit, fixed, attend = [], [], [], []
        none = np.zeros(len(rows), dtype=bool)
        if not gold:
            answer = [*self._sentences.refusal, self._sentences.end]
            alive, hit, attend = [none] * len(answer), [none] * len(answer), [none] * len(answer)
            fixed = [1.0 - sure] + [1.0] * (len(answer) - 1)
        used = none.copy()
        for turn, fact in enumerate(gold):
            target = self._sentence(facts[fact], turn == 0)
            same = np.array([_common(self._sentence(other, turn == 0), target) for other in facts])
            wanted = none.copy()
            wanted[fact] = True
            for position in range(len(target)):
                follows = (same >= position) & ~used
                alive.append(follows)
                hit.append((same > position) & ~used)
                # The first token only says whether to answer; a later sentence's first token, whether to go on.
                fixed.append(-1.0 if position else (sure if turn == 0 else float(own[~used].max())))
                attend.append(wanted)
            used = used | wanted
            answer.extend(target)
        if gold:
            left = own[~used]
            answer.append(self._sentences.end)
            alive.append(none)
            hit.append(none)
            fixed.append(1.0 - float(left.max()) if len(left) else 1.0)
            attend.append(none)
        prompt = build_prompt(self._tokenizer, sample.question).ids
        return _Example(
            prompt, answer, rows, prior, sure, np.array(alive), np.array(hit), np.array(fixed, dtype=np.float32), np.array(attend)
        )

    def _pad(self, items: list[Prepared], examples: list[_Example]) -> Batch:
        batch = len(examples)
        prompt = max(len(example.prompt) for example in examples)
        answer = max(len(example.answer) for example in examples)
        triples = max(len(example.rows) for example in examples)
        ids = torch.full((batch, prompt + answer), self._sentences.end)
        mask = torch.zeros(batch, prompt + answer, dtype=torch.long)
        targets = torch.full((batch, answer), self._sentences.end)
        target_mask = torch.zeros(batch, answer)
        keys = np.zeros((batch, triples, self._pool.vectors.shape[1]), dtype=np.float32)
        values = np.zeros_like(keys)
        padding = torch.ones(batch, triples, dtype=torch.bool)
        prior = torch.full((batch, triples), FLOOR)
        alive, hit, gold = (np.zeros((batch, answer, triples), dtype=bool) for _ in range(3))
        fixed = np.ones((batch, answer), dtype=np.float32)
        for number, (item, example) in enumerate(zip(items, examples, strict=True)):
            start, length, count = prompt - len(example.prompt), len(example.answer), len(example.rows)
            ids[number, start : prompt + length] = torch.tensor(example.prompt + example.answer)
            mask[number, start : prompt + length] = 1
            targets[number, :length] = torch.tensor(example.answer)
            target_mask[number, :length] = 1
            keys[number, :count] = self._pool[item.key_all[example.rows]]
            values[number, :count] = self._pool[item.value_all[example.rows]]
            padding[number, :count] = False
            prior[number, :count] = torch.from_numpy(example.prior)
            alive[number, :length, :count] = example.alive
            hit[number, :length, :count] = example.hit
            gold[number, :length, :count] = example.gold
            fixed[number, :length] = example.fixed
        return Batch(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            targets=targets,
            target_mask=target_mask,
            key_vectors=torch.from_numpy(keys),
            value_vectors=torch.from_numpy(values),
            padding=padding,
            prior=prior,
            answerable=torch.tensor([example.sure for example in examples]),
            has_answer=torch.tensor([bool(item.sample.gold) for item in items]),
            alive=torch.from_numpy(alive),
            hit=torch.from_numpy(hit),
            fixed_copy=torch.from_numpy(fixed),
            gold=torch.from_numpy(gold),
        )


def _common(one: list[int], other: list[int]) -> int:
    """Number of leading tokens that two sentences share."""
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
