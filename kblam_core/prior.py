"""The question prior: how likely each triple answers the question, before the backbone has read a word of it.

The frozen sentence encoder sees the question, the question without the entity's name ("Who runs it?"), and each triple's key, entity,
property and value; the wording memory says which property such a question asks for (wording_memory.py); the cross-encoder reads the
most promising triples together with the question (cross_encoder.py), and the backbone's lower layers read the few best of these
(reader.py); spelling says which words of the question name which entity (lexical.py). A small network, trained to tell the answering
triple from its neighbours and from nothing at all, turns these measures into one logit per triple. KB attention adds these logits to its
own (times a learned scale per head), and their sum against "no triple" says whether the table answers at all.

Shapes: B questions, C candidate triples, E sentence width, F lexical features.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kblam_core.lexical import LEXICAL_FEATURES, Alignment
from kblam_core.telling import Telling
from kblam_core.triples import Triple

CANDIDATES = 48  # triples the network looks at; all others get FLOOR
FLOOR = -9.0  # logit of a triple that is no candidate
MAX_STATEMENT = 160  # characters of a value that its statement shows the encoder
CROSS_READ = 16  # of them, the cross-encoder reads this many
READ = 8  # and the reader the best of all, as they stand without it
NOT_READ = -8.0  # stands for the logit of one that did not read
RESIDUALS = 12  # different readings of the question (which words name the entity) that are encoded


def statement(triple: Triple) -> str:
    """The fact without its entity, as a sentence. Against "Who runs it?" it finds the property better than the property's name does."""
    return f"The {readable(triple.property)} of it is {triple.value[:MAX_STATEMENT]}."


def readable(property_: str) -> str:
    """Turn "date_built" and "dateBuilt" into words, for the encoder."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", property_) if " " not in property_ else property_
    return spaced.replace("_", " ").strip() or property_


@dataclass
class PriorInputs:
    """What the network reads. cosines (B, C, 8), see `cosines`; elsewhere (B, C, 6), see `elsewhere`; cross (B, C) logits of the
    cross-encoder, reader (B, C) of the reader, NOT_READ where they did not look; lexical (B, C, F); group (B, C): number of the
    candidate's entity; padding (B, C): True where there is no candidate."""

    cosines: Tensor
    elsewhere: Tensor
    cross: Tensor
    reader: Tensor
    lexical: Tensor
    group: Tensor
    padding: Tensor


COSINES = (
    "question-key",
    "question-entity",
    "question-value",
    "reading-property",
    "reading-key",
    "reading-statement",
    "expected-property",
    "reading-wording",
)


def cosines(
    question: np.ndarray,
    reading: np.ndarray,
    *,
    key: np.ndarray,
    entity: np.ndarray,
    value: np.ndarray,
    property_: np.ndarray,
    statement: np.ndarray,
    expected: np.ndarray,
    familiar: np.ndarray,
) -> np.ndarray:
    """(C, 8) similarities of frozen unit vectors: question (E,) and its reading for each candidate (C, E) with the rest, (C, E) each.

    expected (C, E) and familiar (C,) are what the wording memory recalls of that reading (zeros without a memory)."""
    asked = ((question, key), (question, entity), (question, value), (reading, property_), (reading, key), (reading, statement))
    measured = [(one * other).sum(-1) for one, other in (*asked, (expected, property_))]
    return np.stack([*measured, familiar], axis=-1).astype(np.float32)


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


def read(question: str, triples: Sequence[Triple], telling: Telling) -> Reading:
    """Align the words of the question with each candidate triple. telling: of the whole table."""
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
        lexical.append(alignment.features(entity, readable(triple.property), triple.value, taken, telling.of(entity)))
    return Reading(
        texts=texts,
        which=np.array(which, dtype=np.int64),
        lexical=np.array(lexical, dtype=np.float32).reshape(len(triples), len(LEXICAL_FEATURES)),
        group=np.array([numbers[triple.entity] for triple in triples], dtype=np.int64),
    )


ELSEWHERE = (3, 5, 6)  # the cosines that `elsewhere` measures: reading-property, reading-statement, expected-property


def elsewhere(
    reading: Reading, readings: np.ndarray, expected: np.ndarray, properties: Sequence[str], *, property_: np.ndarray, statement: np.ndarray
) -> np.ndarray:
    """(C, 6) how well the same reading goes with the best property that other candidates have and this one's entity has not, of all
    entities, then of those that share a property with it; 0 where there is none.

    "How many speakers has it?" goes fairly well with Thai's tones; that the table counts the speakers of other languages, and not those
    of Thai, says that tones were not meant. readings, expected (R, E) vectors of reading.texts and what the wording memory expects of
    them; properties: the C candidates' property names; property_, statement (C, E) vectors.
    """
    number = np.unique([name.casefold() for name in properties], return_inverse=True)[1].reshape(-1)
    held = np.zeros((int(reading.group.max(initial=-1)) + 1, len(properties)), dtype=np.int64)  # (entities, properties)
    held[reading.group, number] = 1
    foreign = held[reading.group][:, number] == 0  # (C, C)
    akin = (held @ held.T) @ held > 0  # what entities have that share a property with this one
    against = np.stack([readings @ property_.T, readings @ statement.T, expected @ property_.T], axis=-1)[reading.which]  # (C, C, 3)
    return np.concatenate([_best(against, foreign), _best(against, foreign & akin[reading.group][:, number])], axis=-1)


def _best(against: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(C, 3) the largest of (C, C, 3) where `among` (C, C); 0 where that is nowhere."""
    best = np.where(among[..., None], against, -1).max(1, initial=-1)
    return np.where(among.any(1)[:, None], best, 0).astype(np.float32)


class QuestionPrior(nn.Module):
    """Scores candidates; logits of "this triple answers", against a fixed 0 for "none does".

    A small network over plain measures: cosines of the frozen vectors, the logits of cross-encoder and reader, the words' spelling; each
    also seen against the best of the table, against the other properties of the same entity, and against those that it has not. It has
    no view of the vectors themselves, so it cannot learn topics by heart.

    It looks twice: first without the reader, which then reads the READ facts that look best, then with what the reader says.
    """

    RIVALS = (3, 5, 6, 8, 9)  # measures of the property: reading-property, reading-statement, expected-property, cross, reader
    LOGIT_UNIT = 5.0  # divides the logits, which are wider than cosines

    def __init__(self, *, hidden: int = 96, dropout: float = 0.1) -> None:
        super().__init__()
        measures = len(COSINES) + 2
        features = 2 * measures + len(self.RIVALS) + 4 * len(ELSEWHERE) + len(LEXICAL_FEATURES) + 3
        self.first = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Dropout(dropout))
        self.second = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, inputs: PriorInputs) -> Tensor:
        """(B, C) logits; FLOOR at the padding."""
        measures = torch.cat([inputs.cosines, torch.stack([inputs.cross, inputs.reader], dim=-1) / self.LOGIT_UNIT], dim=-1)
        hidden_away = inputs.padding[..., None]
        least = NOT_READ / self.LOGIT_UNIT
        best = measures.masked_fill(hidden_away, least).amax(1, keepdim=True)
        same = (inputs.group[:, :, None] == inputs.group[:, None, :]) & ~inputs.padding[:, None, :]  # (B, C, C)
        others = same & ~torch.eye(same.shape[1], dtype=torch.bool, device=same.device)
        rivals = [measures[:, None, :, n].expand_as(same).masked_fill(~others, least).amax(2) for n in self.RIVALS]
        coverage = inputs.lexical[..., :1]  # entity_mean, also seen against the best entity of the table
        features = torch.cat(
            [
                measures,
                measures - best,
                measures[..., list(self.RIVALS)] - torch.stack(rivals, -1),
                inputs.elsewhere,
                measures[..., [*ELSEWHERE, *ELSEWHERE]] - inputs.elsewhere,
                inputs.lexical,
                coverage - coverage.masked_fill(hidden_away, 0).amax(1, keepdim=True),
                others.any(-1, keepdim=True).float(),
                (inputs.reader[..., None] != NOT_READ).float(),
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
