"""Sentence encoders behind HTTP: OpenAI's text-embedding-ada-002 and every service that speaks the same protocol.

The `openai` client does the talking: it takes base URL and key from OPENAI_BASE_URL and OPENAI_API_KEY, waits longer after each failure
and as long as a rate limit's Retry-After says. This file adds batches, a disk cache, the cost in advance, and errors in words.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

import numpy as np

from kblam_core.errors import MissingWeightsError, ServiceError
from kblam_core.vector_cache import VectorCache

log = logging.getLogger(__name__)
PREFIX = "openai:"


@dataclass(frozen=True)
class RemoteModel:
    """A known embedding model: its width E and its price in US dollars for a million tokens (as published in 2025)."""

    width: int
    price: float


@dataclass(frozen=True)
class Sending:
    """What is about to be sent: so many texts of about so many tokens, for about so many dollars (None: the price is not known)."""

    texts: int
    tokens: int
    dollars: float | None
    model: str
    service: str

    def __str__(self) -> str:
        price = "at a price that is not known here" if self.dollars is None else f"about ${self.dollars:.4f}"
        return f"Sending {self.texts:,} texts (about {self.tokens:,} tokens, {price}) to {self.model} at {self.service}."


REMOTE_MODELS = {
    "text-embedding-ada-002": RemoteModel(1536, 0.10),
    "text-embedding-3-small": RemoteModel(1536, 0.02),
    "text-embedding-3-large": RemoteModel(3072, 0.13),
}
BATCH_TEXTS = 256
BATCH_CHARACTERS = 100_000  # a request may hold 300,000 tokens; a token is at least a byte, so a character at most four
CHARACTERS_PER_TOKEN = 4  # of English, on average
LARGE = 100  # from so many new texts on, what is about to be sent is said first


def is_remote(name: str) -> bool:
    """Whether an encoder of this name is asked over HTTP."""
    return name in REMOTE_MODELS or name.startswith(PREFIX)


def recorded_name(name: str) -> str:
    """The name under which adapters and encoded tables record an encoder: "openai:" is left out where the model is known."""
    model = name.removeprefix(PREFIX)
    return model if model in REMOTE_MODELS else name


class RemoteEncoder:
    """One embedding model of an OpenAI-compatible service.

    name: a model of REMOTE_MODELS, or "openai:NAME" for any other. base_url, api_key: default to OPENAI_BASE_URL and OPENAI_API_KEY.
    cache: the file of the disk cache; vectors are kept by model and text, for a model that is not known also by the service's address.
    timeout: seconds for one request; retries: further attempts after the first. announce: called before much is sent; by default it
    writes a warning to the log, because that is shown wherever logging was not set up.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        cache: Path | None = None,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        self.announce: Callable[[Sending], None] = lambda sending: log.warning("%s", sending)
        import openai  # late: it takes a second, and most runs need no service

        self.model = name.removeprefix(PREFIX)
        if not self.model:
            raise MissingWeightsError(f"'{PREFIX}' needs the name of a model after it, such as {PREFIX}text-embedding-ada-002.")
        self._known = REMOTE_MODELS.get(self.model)
        self.name = recorded_name(name)
        try:
            self._client = openai.OpenAI(base_url=base_url, api_key=api_key, timeout=timeout, max_retries=retries)
        except openai.OpenAIError as error:
            raise MissingWeightsError(
                f"The encoder '{self.name}' is a service that needs a key: set OPENAI_API_KEY (and OPENAI_BASE_URL for another service "
                "than OpenAI's; any text will do as the key of one that asks for none)."
            ) from error
        self._service = urlsplit(str(self._client.base_url)).netloc.rpartition("@")[2]
        if cache is None:
            from kblam_core.backbones import cache_folder

            cache = cache_folder() / "embeddings.sqlite"
        self._cache = VectorCache(cache)
        self._cached_as = self.model if self._known else f"{self.model} {self._client.base_url}"
        self._lock = Lock()
        self._width = self._known.width if self._known else None

    @property
    def width(self) -> int:
        """E; a model that is not known is asked for one vector. Raises ServiceError."""
        if self._width is None:
            self.encode(["width"])
        return self._width

    def cost(self, texts: Sequence[str]) -> Sending:
        """What sending these texts means (estimates)."""
        tokens = max(1, sum(map(len, texts)) // CHARACTERS_PER_TOKEN)
        dollars = self._known.price * tokens / 1e6 if self._known else None
        return Sending(len(texts), tokens, dollars, self.model, self._service)

    def sending(self, texts: Sequence[str]) -> Sending | None:
        """What encoding these texts would send; None where few of them, or none, have to be sent."""
        fresh, _ = self._fresh(texts)
        return self.cost(fresh) if len(fresh) >= LARGE else None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, E) float32 unit vectors; texts known from the disk are not sent. Raises ServiceError or MissingWeightsError.

        What was answered before a failure is kept, so that a second attempt goes on where the first ended.
        """
        if not len(texts):
            return np.zeros((0, self.width), dtype=np.float32)
        with self._lock:
            fresh, vectors = self._fresh(texts)
            if len(fresh) >= LARGE:
                self.announce(self.cost(fresh))
            for batch in _batches(fresh):
                answered = dict(zip(batch, self._request(batch), strict=True))
                self._cache.put(self._cached_as, answered)
                vectors |= answered
            if self._width is None:
                self._width = len(vectors[texts[0]])
        # Through float16, as in the cache: the same text has the same vector whether it was sent or not.
        result = np.stack([vectors[text] for text in texts]).astype(np.float16).astype(np.float32)
        return result / np.linalg.norm(result, axis=1, keepdims=True)

    def _fresh(self, texts: Sequence[str]) -> tuple[list[str], dict[str, np.ndarray]]:
        """(texts that have to be sent, vectors of the others)."""
        different = list(dict.fromkeys(texts))
        vectors = self._cache.get(self._cached_as, different)
        return [text for text in different if text not in vectors], vectors

    def _request(self, batch: list[str]) -> np.ndarray:
        """(len(batch), E), rows of unit length, checked."""
        import openai

        try:
            # The protocol refuses empty strings.
            answer = self._client.embeddings.create(model=self.model, input=[text or " " for text in batch])
            rows = sorted(answer.data, key=lambda row: row.index)
            numbers = [row.index for row in rows]
            vectors = np.array([row.embedding for row in rows], dtype=np.float32)
        except openai.OpenAIError as error:
            raise self._in_words(error) from error
        except (ValueError, TypeError, AttributeError) as error:  # an answer of another form, or no JSON at all
            raise ServiceError(f"{self._service} did not answer with embeddings. Is the base URL right (it often ends in /v1)?") from error
        if numbers != list(range(len(batch))) or vectors.ndim != 2:
            raise ServiceError(f"{self._service} answered embeddings that do not fit the {len(batch)} texts it was sent.")
        if self._width is not None and vectors.shape[1] != self._width:
            raise ServiceError(
                f"{self._service} answered embeddings {vectors.shape[1]} wide, but those of {self.model} are {self._width} wide. "
                "It serves another model under that name."
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or (lengths == 0).any():
            raise ServiceError(f"{self._service} answered an embedding that is zero or not a number.")
        return vectors / lengths

    def _in_words(self, error: Exception) -> Exception:
        import openai

        if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
            return MissingWeightsError(f"{self._service} refused the key for '{self.model}'. Check OPENAI_API_KEY.")
        if isinstance(error, openai.NotFoundError):
            return MissingWeightsError(f"{self._service} has no model '{self.model}'. Check its name and OPENAI_BASE_URL.")
        if isinstance(error, openai.RateLimitError):
            return ServiceError(f"{self._service} still limits the rate after all retries, or the account has no credit. Try again later.")
        if isinstance(error, openai.APITimeoutError):
            return ServiceError(f"{self._service} did not answer in time. Try again, or check the network.")
        if isinstance(error, openai.APIConnectionError):
            return ServiceError(f"{self._service} cannot be reached. Check OPENAI_BASE_URL and the network.")
        if isinstance(error, openai.APIStatusError):
            return ServiceError(f"{self._service} answered with error {error.status_code} for '{self.model}': {_short(error.message)}")
        return ServiceError(f"{self._service} did not answer with embeddings: {_short(str(error))}")


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """In order, at most BATCH_TEXTS and BATCH_CHARACTERS each (one longer text goes alone)."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == BATCH_TEXTS or size + len(text) > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= 200 else line[:199] + "…"
