"""The losses of the attention stage: the mixture's likelihood, the backbone's own, supervised attention, and the table's share.

Shapes: B questions, A answer tokens, M triples, L KB layers, H heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kblam_core.adapter import KblamAdapter
from kblam_core.training.batching import Batch

FIRST_TOKEN = 4.0  # the first token decides between answer and refusal
OWN_WORDS = 0.4  # weight of the backbone's own likelihood, so that it also learns to answer without the copy gate


@dataclass
class Losses:
    """Means over a batch, each a scalar; `total` is what is minimised."""

    total: Tensor
    answer: Tensor
    own: Tensor
    attention: Tensor
    mass: Tensor


@dataclass(frozen=True)
class Counts:
    """What the means are taken over. With those of a whole step, the losses of its parts add up to the loss of the step, however the
    step is cut: into parts that follow one another, or among processes.

    importance: answer tokens, the first one counted FIRST_TOKEN times; tokens: answer tokens; supervised: those with a fact to attend to.
    """

    importance: float
    tokens: float
    supervised: float

    @classmethod
    def of(cls, batches: Sequence[Batch]) -> "Counts":
        return cls(
            importance=sum(float(_importance(batch).sum()) for batch in batches),
            tokens=sum(float(batch.target_mask.sum()) for batch in batches),
            supervised=sum(float(batch.gold.any(-1).sum()) for batch in batches),
        )


def attention_losses(
    adapter: KblamAdapter,
    batch: Batch,
    log_own: Tensor,
    hidden: Tensor,
    kb_weights: Tensor,
    *,
    with_prior: bool,
    weight: float,
    counts: Counts | None = None,
) -> Losses:
    """log_own (B, A): the backbone's own log likelihood of each answer token; hidden (B, A, width) and kb_weights (L, B, H, A, M) of
    the positions that produce them; counts: of the whole step where the batch is a part of it."""
    mask = batch.target_mask
    importance = _importance(batch)
    counts = counts or Counts.of([batch])
    shares, mass = adapter.fact_shares(kb_weights.float())  # (B, A, M), (B, A)
    following = (shares * batch.alive).sum(-1).clamp_min(1e-6)
    copied = (shares * batch.hit).sum(-1) / following
    copied = torch.where(batch.fixed_copy >= 0, batch.fixed_copy, copied)
    sure = batch.answerable[:, None].expand_as(mass) if with_prior else torch.ones_like(mass)
    gate = adapter.copy_probability(hidden, mass, sure, shares.amax(-1))
    if not with_prior:
        # Without the prior nothing but the backbone chooses between answer and refusal, and whether to go on.
        gate = torch.where(batch.fixed_copy >= 0, torch.zeros_like(gate), gate)
    mixture = torch.log((1 - gate) * log_own.exp() + gate * copied + 1e-6)
    answer = -(mixture * importance).sum() / counts.importance
    own = -(log_own * importance).sum() / counts.importance
    attention = _attention_loss(batch, kb_weights, counts.supervised)
    wanted = batch.has_answer[:, None].float()
    table = kb_weights.float().sum(-1).mean((0, 2)).clamp(1e-4, 1 - 1e-4)  # (B, A)
    right_mass = wanted * table.log() + (1 - wanted) * (1 - table).log()
    held = torch.where(batch.has_answer, batch.gold.any(-1)[:, 0].float(), torch.ones_like(batch.answerable))
    mass_loss = -(right_mass * mask * held[:, None]).sum() / counts.tokens
    total = answer + OWN_WORDS * own + weight * attention + 0.25 * weight * mass_loss
    return Losses(total, answer.detach(), own.detach(), attention.detach(), mass_loss.detach())


def _importance(batch: Batch) -> Tensor:
    """(B, A) weight of each answer token."""
    importance = batch.target_mask.clone()
    importance[:, 0] *= FIRST_TOKEN
    return importance


def _attention_loss(batch: Batch, kb_weights: Tensor, count: float) -> Tensor:
    """Cross entropy of each KB layer's attention within the table (mean over heads) against the fact in use; mean over `count` tokens."""
    supervised = batch.gold.any(-1)  # (B, A)
    if not supervised.any():
        return kb_weights.new_zeros(())
    within = kb_weights.float() / kb_weights.float().sum(-1, keepdim=True).clamp_min(1e-9)
    on_gold = (within * batch.gold[None, :, None]).sum(-1).mean(2)  # (L, B, A)
    loss = -torch.log(on_gold.clamp_min(1e-6)).mean(0)
    return loss[supervised].sum() / count
