"""The question prior: how likely each triple answers the question, before the backbone has read a word of it.

The frozen sentence encoder sees the question, the question without the entity's name ("Who runs it?"), and each triple's key, entity,
property and value; spelling says which words of the question name which entity (lexical.py). A small network, trained to tell the
answering triple from its neighbours and from nothing at all, turns both into one logit per triple. KB attention adds these logits to
its own (times a learned scale per head), and their sum against "no triple" says whether the table answers at all.

Shapes: B questions, C candidate triples, E sentence width, F lexical features.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kblam_core.lexical import LEXICAL_FEATURES, Alignment
from kblam_core.triples import Triple

CANDIDATES = 48  # triples the network looks at; all others get FLOOR
FLOOR = -9.0  # logit of a triple that is no candidate
RESIDUALS = 12  # different readings of the question (which words name the entity) that are encoded


def readable(property_: str) -> str:
    """Turn "date_built" and "dateBuilt" into words, for the encoder."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", property_) if " " not in property_ else property_
    return spaced.replace("_", " ").strip() or property_


@dataclass
class PriorInputs:
    """What the network reads. question (B, E); residual, key, entity, property, value (B, C, E); lexical (B, C, F);
    group (B, C): number of the candidate's entity; padding (B, C): True where there is no candidate."""

    question: Tensor
    residual: Tensor
    key: Tensor
    entity: Tensor
    property: Tensor
    value: Tensor
    lexical: Tensor
    group: Tensor
    padding: Tensor


def candidates(question_vector: np.ndarray, key_vectors: np.ndarray, coverage: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` most promising triples, best first: sentence similarity plus the entity's share in the question.

    question_vector (E,), key_vectors (M, E), coverage (M,) in 0..1.
    """
    score = key_vectors @ question_vector + 0.5 * coverage
    if len(score) <= count:
        return np.argsort(-score, kind="stable")
    top = np.argpartition(-score, count)[:count]
    return top[np.argsort(-score[top], kind="stable")]


@dataclass(frozen=True)
class Reading:
    """A question read against candidates: texts are its different readings (the entity's words replaced by "it"; at most RESIDUALS,
    the question itself is number 0), which (C,) says whose reading is whose; lexical (C, F); group (C,) numbers the entities."""

    texts: list[str]
    which: np.ndarray
    lexical: np.ndarray
    group: np.ndarray


def read(question: str, triples: Sequence[Triple]) -> Reading:
    """Align the words of the question with each candidate triple."""
    alignment = Alignment(question, [cell for one in triples for cell in (one.entity, readable(one.property), one.value)])
    texts = [question]
    numbers: dict[str, int] = {}
    residuals = {}
    which, lexical = [], []
    for triple in triples:
        entity = triple.entity
        if entity not in residuals:
            numbers[entity] = len(numbers)
            residuals[entity] = alignment.residual(entity)
        text, taken = residuals[entity]
        if text not in texts and len(texts) < RESIDUALS:
            texts.append(text)
        which.append(texts.index(text) if text in texts else 0)
        lexical.append(alignment.features(entity, readable(triple.property), triple.value, taken))
    return Reading(
        texts=texts,
        which=np.array(which, dtype=np.int64),
        lexical=np.array(lexical, dtype=np.float32).reshape(len(triples), len(LEXICAL_FEATURES)),
        group=np.array([numbers[triple.entity] for triple in triples], dtype=np.int64),
    )


class QuestionPrior(nn.Module):
    """Scores candidates; logits of "this triple answers", against a fixed 0 for "none does"."""

    SEMANTIC = 8

    def __init__(self, width: int, *, rank: int = 128, hidden: int = 96) -> None:
        super().__init__()
        self.asked = nn.Sequential(nn.Linear(width, rank), nn.GELU(), nn.Linear(rank, width))
        self.held = nn.Sequential(nn.Linear(width, rank), nn.GELU(), nn.Linear(rank, width))
        self.shown = nn.Sequential(nn.Linear(width, rank), nn.GELU(), nn.Linear(rank, width))
        features = 3 * self.SEMANTIC + len(LEXICAL_FEATURES) + 2
        self.first = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Dropout(0.1))
        self.second = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, 1))
        for part in (self.asked, self.held, self.shown):
            nn.init.zeros_(part[2].weight)
            nn.init.zeros_(part[2].bias)

    def forward(self, inputs: PriorInputs) -> Tensor:
        """(B, C) logits; FLOOR at the padding."""
        question = inputs.question[:, None]
        residual = nn.functional.normalize(inputs.residual + self.asked(inputs.residual), dim=-1)
        property_ = nn.functional.normalize(inputs.property + self.held(inputs.property), dim=-1)
        value = nn.functional.normalize(inputs.value + self.shown(inputs.value), dim=-1)
        semantic = torch.stack(
            [
                (question * inputs.key).sum(-1),
                (question * inputs.entity).sum(-1),
                (question * inputs.value).sum(-1),
                (inputs.residual * inputs.property).sum(-1),
                (inputs.residual * inputs.key).sum(-1),
                (residual * property_).sum(-1),
                (residual * value).sum(-1),
                (residual * property_).sum(-1) + (residual * value).sum(-1),
            ],
            dim=-1,
        )  # (B, C, S)
        hidden_away = inputs.padding[..., None]
        best = semantic.masked_fill(hidden_away, -1).amax(1, keepdim=True)
        same = (inputs.group[:, :, None] == inputs.group[:, None, :]) & ~inputs.padding[:, None, :]  # (B, C, C)
        others = same & ~torch.eye(same.shape[1], dtype=torch.bool, device=same.device)
        rivals = semantic[:, None].expand(-1, same.shape[1], -1, -1).masked_fill(~others[..., None], -1).amax(2)
        coverage = inputs.lexical[..., :1]  # entity_mean, against the best entity of the table
        best_coverage = coverage.masked_fill(hidden_away, 0).amax(1, keepdim=True)
        features = torch.cat(
            [
                semantic,
                semantic - best,
                semantic - rivals,
                inputs.lexical,
                coverage - best_coverage,
                others.any(-1, keepdim=True).float(),
            ],
            dim=-1,
        )
        logits = self.second(self.first(features)).squeeze(-1)
        # Bounded, so that no single fact can silence the text of the prompt altogether.
        logits = 10 * torch.tanh(logits / 10)
        return logits.masked_fill(inputs.padding, FLOOR)


def answerable(logits: Tensor) -> Tensor:
    """Probability that some triple answers: (B, C) logits -> (B,). "None" stands against them with logit 0."""
    total = torch.logsumexp(logits, dim=-1)
    return torch.sigmoid(total)


def prior_loss(logits: Tensor, gold: Tensor) -> Tensor:
    """Cross entropy against "none", plus a yes / no loss on every candidate. gold (B, C) is 1 where the triple answers."""
    everything = torch.logsumexp(nn.functional.pad(logits, (0, 1)), dim=-1)  # the last column is "none", logit 0
    has_gold = gold.bool().any(-1)
    right = torch.logsumexp(logits.masked_fill(~gold.bool(), -1e4), dim=-1)
    choice = everything - torch.where(has_gold, right, torch.zeros_like(right))
    each = nn.functional.binary_cross_entropy_with_logits(logits, gold.float(), reduction="none").sum(-1)
    return choice + 0.5 * each
