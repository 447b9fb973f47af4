"""Holds the one model of this process: loads it in the background, says how far it is, runs it.

`run` is the only function that touches the model; on ZeroGPU it runs in a forked worker, so everything it needs comes as
an argument and everything it finds goes back by yield.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.comparison import SYSTEMS, Outcome
from app.space import on_gpu, on_zero_gpu
from kblam_core import BASELINES, Answer, AskOptions, InputError, KblamError, ModelShape, Triple

log = logging.getLogger("app")
_KEYS = itertools.count()
ENCODE_AT_ONCE = 256  # new facts between two signs of progress
_MODELS: dict[int, Any] = {}  # host key -> its loaded Kblam, where a worker forked by ZeroGPU finds it


@dataclass(frozen=True)
class Encoding:
    """A sign of progress: `done` of `total` new facts are encoded. sending: what an encoder behind HTTP is about to be sent for all of
    them (kblam_core's Sending), where that is much."""

    done: int
    total: int
    sending: Any = None


class ModelHost:
    """The model's life: "idle", "loading", "ready" or "failed" with the reason in words."""

    def __init__(self, load: Callable[[], Any], *, name: str = "") -> None:
        self.name = name
        self._load = load
        self.key = next(_KEYS)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.state = "idle"
        self.error: KblamError | None = None  # None with state "failed": not a KblamError, the log has it
        self.started = time.monotonic()

    def start(self) -> None:
        """Begin to load, once; after a failure a further call tries again. Returns at once, except on ZeroGPU."""
        with self._lock:
            if self.state in ("loading", "ready"):
                return
            self.state, self.error = "loading", None
            self.started = time.monotonic()
            self._done.clear()
        if on_zero_gpu():  # the worker is forked from this process: the weights must be here first
            self._work()
        else:
            threading.Thread(target=self._work, name="load-model", daemon=True).start()

    @property
    def reason(self) -> str | None:
        """Why it failed, in the library's words."""
        return str(self.error) if self.error else None

    def wait(self, seconds: float) -> bool:
        """True as soon as loading has ended, well or badly; False after `seconds`."""
        return self._done.wait(seconds)

    @property
    def seconds_loading(self) -> int:
        return int(time.monotonic() - self.started)

    def _work(self) -> None:
        try:
            model = self._load()
        except KblamError as error:
            self.state, self.error = "failed", error
            log.warning("The model did not load: %s", error)
        except Exception:
            self.state, self.error = "failed", None
            log.exception("The model did not load")
        else:
            _MODELS[self.key] = model
            self.state = "ready"
        finally:
            self._done.set()


@on_gpu
def run(
    key: int,
    kb: Any,
    triples: Sequence[Triple],
    question: str,
    history: Sequence[tuple[str, str]],
    options: AskOptions,
) -> Iterator[Any]:
    """Yields the knowledge base, Encoding while it is brought up to date, text pieces, then one Answer.

    Raises KblamError kinds.

    On ZeroGPU the base is not sent back (it holds the encoder): there the facts are encoded anew on the GPU.
    """
    model = _MODELS[key]
    kb = _own(model, kb)
    yield None if on_zero_gpu() else kb
    yield from _update(kb, triples)
    yield from model.stream(kb, question, history=history, options=options)


@on_gpu
def compare(key: int, kb: Any, triples: Sequence[Triple], question: str, options: AskOptions) -> Iterator[Any]:
    """Yields the knowledge base, Encoding while it is brought up to date, then an Outcome for each of SYSTEMS in order.

    All systems run on the same model, encoder and facts, without history. Raises KblamError kinds.
    """
    model = _MODELS[key]
    kb = _own(model, kb)
    yield None if on_zero_gpu() else kb
    yield from _update(kb, triples)
    for system in SYSTEMS:
        if system in ("kblam", "paper"):
            answer = model.ask(kb, question, options=replace(options, mode=system))
            yield Outcome.of_answer(system, answer)
        elif not len(kb) and system != "zero-shot":
            yield Outcome(system, problem="empty_table")
        else:
            yield _prompted(model, kb, system, question)


def _prompted(model: Any, kb: Any, system: str, question: str) -> Outcome:
    extra = {"keys": kb.key_vectors} if system == "rag" else {}  # encoded once, for KBLaM already
    try:
        ask = BASELINES[system](model, kb.triples, **extra)
    except InputError:
        return Outcome(system, problem="compare_too_large")
    return Outcome.of_reply(system, ask(question))


def _own(model: Any, kb: Any) -> Any:
    """The base itself where its vectors are of this model's encoder, else a new one."""
    return kb if kb is not None and kb.encoder.name == model.encoder.name else model.knowledge_base(())


def _update(kb: Any, triples: Sequence[Triple]) -> Iterator[Encoding]:
    """Bring `kb` to `triples`, many new facts in parts: what is encoded stays when the visitor stops halfway."""
    wanted, known = set(triples), set(kb.triples)
    fresh = [triple for triple in triples if triple not in known]
    if sending := kb.sending(triples):
        yield Encoding(0, len(fresh), sending)  # said before anything is sent
    if len(fresh) > ENCODE_AT_ONCE:
        kept = [triple for triple in kb.triples if triple in wanted]
        for done in range(0, len(fresh), ENCODE_AT_ONCE):
            yield Encoding(done, len(fresh), sending)
            kb.update(kept + fresh[: done + ENCODE_AT_ONCE])
    kb.update(triples)


def answer(key: int, triples: Sequence[Triple], question: str, options: AskOptions) -> Answer:
    """One whole answer without a session, for the API."""
    *_, last = run(key, None, triples, question, (), options)
    return last


def shape(key: int) -> ModelShape:
    """The sizes of the loaded model."""
    return _MODELS[key].shape


def count_tokens(key: int, text: str) -> int:
    """Number of the loaded model's tokens in a text."""
    return _MODELS[key].count_tokens(text)
