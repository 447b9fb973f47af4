"""Training questions as the question prior sees them: their candidates, with all that is measured without the cross-encoder and the reader.

Texts are encoded once into a pool of vectors; a prepared question holds what was measured. Shapes: C candidates, F lexical features.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kblam_core.encoders import SentenceEncoder
from kblam_core.lexical import EntityIndex
from kblam_core.prior import CANDIDATES, CROSS_READ, Reading, candidates, cosines, elsewhere, read, readable, statement
from kblam_core.telling import Telling
from kblam_core.training.generator import Sample
from kblam_core.triples import Triple
from kblam_core.wording_memory import WordingMemory, recall

KEPT_WHOLE = 256  # of a larger table only the candidates are kept


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
    reader: np.ndarray | None = None  # (C,) logits of the reader, once read

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
