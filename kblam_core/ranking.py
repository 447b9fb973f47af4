"""The shortlist of a question: which triples of a knowledge base the backbone will attend to, and their prior logits.

Shapes: M triples of the base, C candidates, E sentence width.
"""

from collections.abc import Sequence

import numpy as np
import torch

from kblam_core.adapter import KblamAdapter
from kblam_core.answer import AskOptions
from kblam_core.encoders import SentenceEncoder
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.prior import (
    CANDIDATES,
    CROSS_READ,
    FLOOR,
    NOT_READ,
    READ,
    PriorInputs,
    Reading,
    candidates,
    cosines,
    elsewhere,
    read,
    readable,
    statement,
)
from kblam_core.reader import FactReader
from kblam_core.triples import Triple
from kblam_core.wording_memory import recall

Shortlist = tuple[np.ndarray, np.ndarray | None]
# Log odds by which generated questions make the prior too doubtful of people's tables: they ask for what is not there more often and more
# cunningly than people do. Fitted on development suites (TRAINING_LOG.md, seventh to ninth round).
CALIBRATION = 0.6


def rank(
    kb: KnowledgeBase,
    question: str,
    *,
    encoder: SentenceEncoder,
    adapter: KblamAdapter,
    options: AskOptions,
    reader: FactReader | None = None,
) -> Shortlist:
    """Rows of the base, most promising first, and their prior logits (None without the prior)."""
    return rank_many(kb, [question], encoder=encoder, adapter=adapter, options=options, reader=reader)[0]


@torch.inference_mode()
def rank_many(
    kb: KnowledgeBase,
    questions: Sequence[str],
    *,
    encoder: SentenceEncoder,
    adapter: KblamAdapter,
    options: AskOptions,
    reader: FactReader | None = None,
) -> list[Shortlist]:
    """As `rank`, for each question; the encoder is asked twice for all of them together, which a service behind HTTP feels most."""
    if not options.prior and not options.shortlist:
        return [(np.arange(len(kb)), None) for _ in questions]
    questions = [kb.mended(question) for question in questions]
    vectors = encoder.encode(questions)
    if not options.prior:
        return [(np.argsort(-(kb.key_vectors @ vector), kind="stable")[: options.top_k], None) for vector in vectors]
    count = min(len(kb), options.top_k) if options.shortlist else len(kb)
    seen = max(count, min(CANDIDATES, len(kb)))
    found = [candidates(vector, kb.key_vectors, kb.coverage(question), seen) for question, vector in zip(questions, vectors, strict=True)]
    looked = [rows[:CANDIDATES] for rows in found]
    readings = [read(question, [kb.triples[row] for row in rows], kb.telling) for question, rows in zip(questions, looked, strict=True)]
    texts = list(dict.fromkeys(text for reading in readings for text in reading.texts[1:]))
    read_as = dict(zip(texts, encoder.encode(texts), strict=True))
    ranked = []
    for question, vector, rows, reading in zip(questions, vectors, found, readings, strict=True):
        own = np.stack([vector, *(read_as[text] for text in reading.texts[1:])])
        logits = np.full(len(rows), FLOOR, dtype=np.float32)
        logits[:CANDIDATES] = _prior(kb, question, reading, own, rows[:CANDIDATES], encoder, adapter, reader if options.reader else None)
        if count < len(rows):  # a shortlist shorter than the candidates: the prior says which of them stay
            order = np.argsort(-logits, kind="stable")[:count]
            rows, logits = rows[order], logits[order]
        ranked.append((rows, logits))
    return ranked


def _prior(
    kb: KnowledgeBase,
    question: str,
    reading: Reading,
    vectors: np.ndarray,
    rows: np.ndarray,
    encoder: SentenceEncoder,
    adapter: KblamAdapter,
    reader: FactReader | None,
) -> np.ndarray:
    """(C,) logits of the candidates in `rows`; vectors are those of reading.texts, the question's first."""
    triples = [kb.triples[row] for row in rows]
    statements = [statement(triple) for triple in triples]
    properties = [readable(triple.property) for triple in triples]
    of_property = {"property_": kb.named_vectors(properties), "statement": kb.named_vectors(statements)}
    expected, familiar = recall(adapter.memory, vectors)
    measured = cosines(
        vectors[0],
        vectors[reading.which],
        key=kb.key_vectors[rows],
        entity=kb.named_vectors([triple.entity for triple in triples]),
        value=kb.value_vectors[rows],
        **of_property,
        expected=expected[reading.which],
        familiar=familiar[reading.which],
    )
    crossed = np.full(len(rows), NOT_READ, dtype=np.float32)
    if adapter.cross is not None:
        asked = [reading.texts[number] for number in reading.which[:CROSS_READ]]
        crossed[: len(asked)] = adapter.cross.logits(encoder, asked, statements[: len(asked)]).numpy()
    device = next(adapter.parameters()).device

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array)[None].to(device)

    inputs = PriorInputs(
        cosines=tensor(measured),
        elsewhere=tensor(elsewhere(reading, vectors, expected, properties, **of_property)),
        cross=tensor(crossed),
        reader=tensor(np.full(len(rows), NOT_READ, dtype=np.float32)),
        lexical=tensor(reading.lexical),
        group=tensor(reading.group),
        padding=torch.zeros(1, len(rows), dtype=torch.bool, device=device),
    )
    logits = adapter.prior(inputs)[0]
    if reader is not None and len(rows):
        best = logits.topk(min(READ, len(rows))).indices
        read = reader.logits(question, [triples[number] for number in best.tolist()])
        inputs.reader[0, best] = torch.from_numpy(read).to(device)
        logits = adapter.prior(inputs)[0]
    return logits.cpu().numpy()


def answerable(logits: np.ndarray, *, shift: float = 0.0) -> float:
    """Probability that a candidate answers, calibrated for people's tables; `prior.answerable` is the same as training sees it.

    logits (M,); shift is taken from the log odds.
    """
    return float(1 / (1 + np.exp(shift - log_odds(logits))))


def log_odds(logits: np.ndarray) -> float:
    """Of `answerable`. Facts at FLOOR are no candidates: ten thousand of them are no evidence."""
    return CALIBRATION + (float(np.logaddexp.reduce(logits[logits > FLOOR])) if (logits > FLOOR).any() else FLOOR)


def own_probability(logits: np.ndarray | None, triples: Sequence[Triple]) -> np.ndarray:
    """(M,) probability that a fact answers by itself; nothing is known without a prior."""
    return np.zeros(len(triples)) if logits is None else 1 / (1 + np.exp(-logits))
