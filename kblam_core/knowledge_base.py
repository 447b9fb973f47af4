"""A table of triples with its sentence vectors. An edit re-encodes what changed and nothing else.

Shapes: M triples, E sentence width, N different entities.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from kblam_core.encoders import SentenceEncoder
from kblam_core.errors import InputError
from kblam_core.lexical import EntityIndex, words
from kblam_core.prior import readable, statement
from kblam_core.remote_encoder import RemoteEncoder, Sending
from kblam_core.spelling import mended
from kblam_core.telling import Telling
from kblam_core.triples import Triple, clean_rows

FORMAT = "kblam-knowledge-base-2"  # of a saved base
STATEMENTS_AHEAD = 2_000  # larger tables encode the statements of a question's candidates when they are first asked for


class KnowledgeBase:
    """triples and, row by row, key_vectors and value_vectors (M, E) float32; entity, property and statement vectors by text."""

    def __init__(self, encoder: SentenceEncoder, triples: Sequence[Triple] = ()) -> None:
        self.encoder = encoder
        self.triples: list[Triple] = []
        self.key_vectors = np.zeros((0, encoder.width), dtype=np.float32)
        self.value_vectors = np.zeros((0, encoder.width), dtype=np.float32)
        self._named: dict[str, np.ndarray] = {}
        self._index_entities()
        if triples:
            self.update(triples)

    def __len__(self) -> int:
        return len(self.triples)

    def update(self, triples: Sequence[Triple]) -> int:
        """Hold exactly these triples, in this order. Returns how many triples had to be encoded."""
        triples = list(triples)
        if triples == self.triples:
            return 0
        row_of = {triple: row for row, triple in enumerate(self.triples)}
        rows = np.array([row_of.get(triple, -1) for triple in triples], dtype=np.int64)
        fresh = np.flatnonzero(rows < 0)
        texts, names = self._texts([triples[row] for row in fresh], len(triples))
        encoded = self.encoder.encode(texts + names)
        count = len(fresh)
        key_vectors = np.empty((len(triples), self.encoder.width), dtype=np.float32)
        value_vectors = np.empty_like(key_vectors)
        kept = rows >= 0
        key_vectors[kept], value_vectors[kept] = self.key_vectors[rows[kept]], self.value_vectors[rows[kept]]
        key_vectors[fresh], value_vectors[fresh] = encoded[:count], encoded[count : 2 * count]
        self._named.update(zip(names, encoded[2 * count :], strict=True))
        self.triples, self.key_vectors, self.value_vectors = triples, key_vectors, value_vectors
        self._index_entities()
        return count

    def sending(self, triples: Sequence[Triple]) -> Sending | None:
        """What `update` would send to an encoder behind HTTP, where that is much; None for an encoder on this machine."""
        if not isinstance(self.encoder, RemoteEncoder):
            return None
        held = set(self.triples)
        texts, names = self._texts([triple for triple in triples if triple not in held], len(triples))
        return self.encoder.sending(texts + names)

    def _texts(self, fresh: Sequence[Triple], size: int) -> tuple[list[str], list[str]]:
        """(keys, then values; names not met before) of the triples that are new in a table of `size`."""
        texts = [triple.key_text for triple in fresh] + [triple.value_text for triple in fresh]
        names = dict.fromkeys(name for triple in fresh for name in _names(triple, with_statement=size <= STATEMENTS_AHEAD))
        return texts, [name for name in names if name not in self._named]

    def add(self, triple: Triple) -> None:
        """Append a triple. Raises InputError when its entity already has that property."""
        self._refuse_duplicate(triple, but=None)
        self.update([*self.triples, triple])

    def edit(self, row: int, triple: Triple) -> None:
        """Replace the triple in `row`. Raises InputError for a row that is not there or a duplicate."""
        self._check(row)
        self._refuse_duplicate(triple, but=row)
        self.update([*self.triples[:row], triple, *self.triples[row + 1 :]])

    def remove(self, row: int) -> None:
        """Take out the triple in `row`. Raises InputError for a row that is not there."""
        self._check(row)
        self.update([*self.triples[:row], *self.triples[row + 1 :]])

    def find(self, entity: str, property_: str | None = None) -> list[int]:
        """Rows of that entity (and property), case aside."""
        return [
            row
            for row, triple in enumerate(self.triples)
            if triple.entity.casefold() == entity.casefold() and (property_ is None or triple.property.casefold() == property_.casefold())
        ]

    def named_vectors(self, names: Sequence[str]) -> np.ndarray:
        """(len(names), E): vectors of entities, readable property names and statements; encodes those not met before."""
        missing = list(dict.fromkeys(name for name in names if name not in self._named))
        if missing:
            self._named.update(zip(missing, self.encoder.encode(missing), strict=True))
        return np.stack([self._named[name] for name in names])

    def coverage(self, question: str) -> np.ndarray:
        """(M,) how much of each triple's entity stands in the question, 0..1."""
        return self._entities.coverage(question)[self._entity_of]

    @property
    def telling(self) -> Telling:
        """How much each word of the entities' names tells them apart."""
        if self._telling is None:
            self._telling = Telling(self.triples)
        return self._telling

    def mended(self, question: str) -> str:
        """The question without slips of the finger (spelling.py)."""
        return mended(question, names=self._entities.vocabulary.keys(), properties=self._property_words)

    def save(self, path: str | Path) -> Path:
        """Write triples and vectors (float16) as one safetensors file; `load` reads it without encoding anything."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        needed = {name for triple in self.triples for name in _names(triple, with_statement=True)}
        names = [name for name in self._named if name in needed]  # nothing that was removed
        tensors = {
            "key_vectors": self.key_vectors.astype(np.float16),
            "value_vectors": self.value_vectors.astype(np.float16),
            "named_vectors": np.stack([self._named[name] for name in names]).astype(np.float16)
            if names
            else np.zeros((0, self.encoder.width), np.float16),
            "texts": _pack([cell for triple in self.triples for cell in (triple.entity, triple.property, triple.value)]),
            "names": _pack(names),
        }
        save_file(tensors, path, metadata={"encoder": self.encoder.name, "format": FORMAT})
        return path

    @classmethod
    def load(cls, path: str | Path, encoder: SentenceEncoder) -> "KnowledgeBase":
        """Read what `save` wrote. Raises InputError when the file is another thing or was made with another encoder."""
        try:
            with safe_open(path, framework="numpy") as file:
                about = file.metadata() or {}
                parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError) as error:
            raise InputError(f"{path} could not be read as an encoded knowledge base: {error}") from error
        except Exception as error:  # safetensors raises its own kind, which derives from Exception alone
            raise InputError(f"{path} is not a safetensors file; make one with `python -m kblam_core encode`.") from error
        if about.get("format") != FORMAT:
            raise InputError(f"{path} is not an encoded base of this version; make it again with `python -m kblam_core encode`.")
        if (made_with := about.get("encoder")) != encoder.name:
            raise InputError(f"{path} was encoded with '{made_with}', but the encoder in use is '{encoder.name}'. Encode it again.")
        base = cls(encoder)
        cells = _unpack(parts["texts"])
        base.triples = [Triple(*cells[start : start + 3]) for start in range(0, len(cells), 3)]
        base.key_vectors = parts["key_vectors"].astype(np.float32)
        base.value_vectors = parts["value_vectors"].astype(np.float32)
        base._named = dict(zip(_unpack(parts["names"]), parts["named_vectors"].astype(np.float32), strict=True))
        base._index_entities()
        return base

    def _index_entities(self) -> None:
        numbers: dict[str, int] = {}
        self._entity_of = np.array([numbers.setdefault(triple.entity, len(numbers)) for triple in self.triples], dtype=np.int64)
        if list(numbers) != getattr(self, "_entity_names", None):
            self._entity_names = list(numbers)
            self._entities = EntityIndex(self._entity_names)
        self._telling: Telling | None = None  # made when a question is asked
        properties = {triple.property for triple in self.triples}
        self._property_words = frozenset(word for property_ in properties for word in words(readable(property_)).folded)

    def _check(self, row: int) -> None:
        if not 0 <= row < len(self.triples):
            raise InputError(f"There is no row {row}: the table has {len(self.triples)} facts, counted from 0.")

    def _refuse_duplicate(self, triple: Triple, *, but: int | None) -> None:
        if not clean_rows([[triple.entity, triple.property, triple.value]]).triples:
            raise InputError("A fact needs an entity, a property and a value; at least one of them is empty.")
        if any(row != but for row in self.find(triple.entity, triple.property)):
            raise InputError(f"'{triple.entity}' already has a '{triple.property}'; edit that fact instead.")


def _names(triple: Triple, *, with_statement: bool) -> list[str]:
    """What the question prior compares with a question, besides key and value."""
    names = [triple.entity, readable(triple.property)]
    return [*names, statement(triple)] if with_statement else names


def _pack(texts: Sequence[str]) -> np.ndarray:
    """Texts as the bytes of a JSON list: whatever stands in a cell comes back as it was."""
    return np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8).copy()


def _unpack(packed: np.ndarray) -> list[str]:
    return json.loads(packed.tobytes())
