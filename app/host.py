"""Holds the one model of this process: loads it in the background, says how far it is, runs it.

`run` is the only function that touches the model; on ZeroGPU it runs in a forked worker, so everything it needs comes as
an argument and everything it finds goes back by yield.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.space import on_gpu, on_zero_gpu
from kblam_core import Answer, AskOptions, KblamError, Triple

log = logging.getLogger("app")
_MODEL: list[Any] = []  # the loaded Kblam, where a worker forked by ZeroGPU finds it


class ModelHost:
    """The model's life: "idle", "loading", "ready" or "failed" with the reason in words."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.state = "idle"
        self.reason: str | None = None  # None with state "failed": not a KblamError, the log has it
        self.started = time.monotonic()

    def start(self) -> None:
        """Begin to load, once; after a failure a further call tries again. Returns at once, except on ZeroGPU."""
        with self._lock:
            if self.state in ("loading", "ready"):
                return
            self.state, self.reason = "loading", None
            self.started = time.monotonic()
            self._done.clear()
        if on_zero_gpu():  # the worker is forked from this process: the weights must be here first
            self._work()
        else:
            threading.Thread(target=self._work, name="load-model", daemon=True).start()

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
            self.state, self.reason = "failed", str(error)
            log.warning("The model did not load: %s", error)
        except Exception:
            self.state, self.reason = "failed", None
            log.exception("The model did not load")
        else:
            _MODEL[:] = [model]
            self.state = "ready"
        finally:
            self._done.set()


@on_gpu
def run(
    kb: Any,
    triples: Sequence[Triple],
    question: str,
    history: Sequence[tuple[str, str]],
    options: AskOptions,
) -> Iterator[Any]:
    """Yields the knowledge base brought up to date, then text pieces, then one Answer. Raises KblamError kinds.

    On ZeroGPU the base is not sent back (it holds the encoder): there the facts are encoded anew on the GPU.
    """
    model = _MODEL[0]
    if kb is None:
        kb = model.knowledge_base(triples)
    else:
        kb.update(triples)
    yield None if on_zero_gpu() else kb
    yield from model.stream(kb, question, history=history, options=options)


def answer(triples: Sequence[Triple], question: str, options: AskOptions) -> Answer:
    """One whole answer without a session, for the API."""
    *_, last = run(None, triples, question, (), options)
    return last
