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
MAX_STATEMENT = 160  # characters of a value that its statement shows the encoder
RESIDUALS = 12  # different readings of the question (which words name the entity) that are encoded


def statement(triple: Triple) -> str:
    """The fact without its entity, as a sentence. Against "Who runs it?" it finds the property better than the property's name does
    (top-1 among an entity's properties 0.90 instead of 0.83 on the held-out tables, nothing trained)."""
    return f"The {readable(triple.property)} of it is {triple.value[:MAX_STATEMENT]}."


def readable(property_: str) -> str:
    """Turn "date_built" and "dateBuilt" into words, for the encoder."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", property_) if " " not in property_ else property_
    return spaced.replace("_", " ").strip() or property_


@dataclass
class PriorInputs:
    """What the network reads. question (B, E); readings (B, R, E) of the question and which one goes with each candidate (B, C);
    names (B, N, E) of the properties and which one is each candidate's (B, C); key, entity, value, statement (B, C, E);
    lexical (B, C, F); group (B, C): number of the candidate's entity; padding (B, C): True where there is no candidate."""

    question: Tensor
    readings: Tensor
    reading_of: Tensor
    names: Tensor
    name_of: Tensor
    key: Tensor
    entity: Tensor
    value: Tensor
    statement: Tensor
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
    """Scores candidates; logits of "this triple answers", against a fixed 0 for "none does".

    Three views are put together: cosines of the frozen vectors and of slightly turned ones, the words' spelling, and a learned
    comparison of what is asked (question and its reading without the entity) with what is held (property and statement).
    """

    COSINES = 9
    RIVALS = (3, 5, 6, 7, 8)  # cosines that are also seen against the entity's other properties

    def __init__(self, width: int, *, rank: int = 256, interaction: int = 128, dropout: float = 0.2) -> None:
        super().__init__()

        def turn() -> nn.Sequential:
            layers = nn.Sequential(nn.Linear(width, rank), nn.GELU(), nn.Dropout(dropout), nn.Linear(rank, width))
            nn.init.zeros_(layers[3].weight)
            nn.init.zeros_(layers[3].bias)
            return layers

        self.asked, self.held, self.shown = turn(), turn(), turn()
        self.ask_reading = nn.Linear(width, rank)
        self.ask_question = nn.Linear(width, rank, bias=False)
        self.ask_out = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(rank, interaction))
        self.hold_name = nn.Linear(width, rank)
        self.hold_statement = nn.Linear(width, rank, bias=False)
        self.hold_out = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(rank, interaction))
        self.forget = nn.Dropout(2 * dropout)
        features = 2 * self.COSINES + len(self.RIVALS) + len(LEXICAL_FEATURES) + 2 + interaction
        self.first = nn.Sequential(nn.Linear(features, 128), nn.GELU(), nn.Dropout(dropout))
        self.second = nn.Sequential(nn.Linear(128, 96), nn.GELU(), nn.Dropout(dropout), nn.Linear(96, 1))

    def forward(self, inputs: PriorInputs) -> Tensor:
        """(B, C) logits; FLOOR at the padding."""
        question = inputs.question[:, None]
        # Readings and names are few: map them once each, then hand them to the candidates.
        reading = _pick(inputs.readings, inputs.reading_of)
        name = _pick(inputs.names, inputs.name_of)
        turned_reading = _pick(_unit(inputs.readings + self.asked(inputs.readings)), inputs.reading_of)
        turned_name = _pick(_unit(inputs.names + self.held(inputs.names)), inputs.name_of)
        turned_statement = _unit(inputs.statement + self.shown(inputs.statement))
        ask = _pick(self.ask_out(self.ask_reading(inputs.readings) + self.ask_question(question)), inputs.reading_of)
        hold = self.hold_out(_pick(self.hold_name(inputs.names), inputs.name_of) + self.hold_statement(inputs.statement))
        compared = ask * hold  # (B, C, interaction)
        cosines = torch.stack(
            [
                (question * inputs.key).sum(-1),
                (question * inputs.entity).sum(-1),
                (question * inputs.value).sum(-1),
                (reading * name).sum(-1),
                (reading * inputs.key).sum(-1),
                (turned_reading * turned_name).sum(-1),
                (turned_reading * turned_statement).sum(-1),
                (reading * inputs.statement).sum(-1),
                compared.sum(-1) / compared.shape[-1] ** 0.5,
            ],
            dim=-1,
        )
        hidden_away = inputs.padding[..., None]
        best = cosines.masked_fill(hidden_away, -1).amax(1, keepdim=True)
        same = (inputs.group[:, :, None] == inputs.group[:, None, :]) & ~inputs.padding[:, None, :]  # (B, C, C)
        others = same & ~torch.eye(same.shape[1], dtype=torch.bool, device=same.device)
        rivals = [cosines[:, None, :, n].expand_as(same).masked_fill(~others, -1).amax(2) for n in self.RIVALS]
        coverage = inputs.lexical[..., :1]  # entity_mean, also seen against the best entity of the table
        features = torch.cat(
            [
                cosines,
                cosines - best,
                cosines[..., list(self.RIVALS)] - torch.stack(rivals, -1),
                inputs.lexical,
                coverage - coverage.masked_fill(hidden_away, 0).amax(1, keepdim=True),
                others.any(-1, keepdim=True).float(),
                self.forget(compared),
            ],
            dim=-1,
        )
        logits = self.second(self.first(features)).squeeze(-1)
        # Bounded, so that no single fact can silence the text of the prompt altogether.
        logits = 10 * torch.tanh(logits / 10)
        return logits.masked_fill(inputs.padding, FLOOR)


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors, dim=-1)


def _pick(vectors: Tensor, which: Tensor) -> Tensor:
    """(B, N, E) and (B, C) -> (B, C, E)"""
    return vectors.gather(1, which[..., None].expand(-1, -1, vectors.shape[-1]))


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
