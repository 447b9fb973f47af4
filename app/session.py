"""What one visitor has: a table, a chat, and the answers with their attention. No gradio here, so tests need no browser."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

from app.draft import TableDraft
from kblam_core import Answer, AskOptions, ModelShape, Triple

MAX_QUESTION = 2_000  # characters; longer questions are kept in the box and refused in words
KEPT_TRACES = 6  # answers whose attention stays in memory; older ones keep their facts and lose the map
KEPT_HISTORY = 4  # earlier turns the model sees
BUSY_SECONDS = 300.0  # after this a turn that never finished no longer blocks the chat


class CopiedLock:
    """A re-entrant lock whose copy is a fresh one: gradio copies the initial session for every visitor."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __deepcopy__(self, memo: dict) -> CopiedLock:
        return CopiedLock()


@dataclass
class Turn:
    """One question and what became of it.

    state: "waiting" | "loading" | "streaming" | "answered" | "refused" | "empty_table" |
    "small_talk" | "stopped" | "error".
    """

    question: str
    state: str = "waiting"
    text: str = ""
    answer: Answer | None = None
    facts: list[Triple] = field(default_factory=list)  # the table as it was when asked: answer.sources index into it
    options: AskOptions | None = None  # what it was asked with, to ask again in the same way
    history: list[tuple[str, str]] = field(default_factory=list)
    encoding: Any = None  # app.host.Encoding, while a large table is encoded
    model: str = ""  # name of the model that was asked
    shape: ModelShape | None = None  # of the model that answered
    vectors: Any = None  # (2, E) sentence vectors of key and value of the fact told about, None where they are not at hand
    recorded: bool = False  # an example from assets/recorded, not asked by the visitor
    started: float = field(default_factory=time.monotonic)

    @property
    def open(self) -> bool:
        return self.state in ("waiting", "loading", "streaming")


@dataclass
class Session:
    """The state of one open page. Handlers change it in place; `lock` guards every change."""

    draft: TableDraft = field(default_factory=TableDraft)
    turns: list[Turn] = field(default_factory=list)
    sample: str = ""
    lang: str = "en"
    model: str = ""  # name of the model the visitor chose; "" is the default
    examples: list[Turn] = field(default_factory=list)  # recorded earlier; shown until there is a turn
    seen_edits: dict[int, int] = field(default_factory=dict)  # row id -> number of the last edit taken over
    kb: Any = None  # kblam_core.KnowledgeBase of the last question; updated, not rebuilt
    chose_head: bool = False  # the visitor picked a layer or head: new answers keep it
    change: Any = None  # app.causal.Change that waits to be asked
    pending: Any = None  # handlers.importing.Pending: a file whose columns the visitor is asked about
    comparison: Any = None  # app.comparison.Comparison, the last one
    kept_version: int = -1  # the draft's version that the browser keeps
    views: int = 0  # how often the table was sent to the browser, which ignores one that arrives late
    lock: CopiedLock = field(default_factory=CopiedLock)

    def current(self) -> Turn | None:
        """The turn being answered, or None."""
        turn = self.turns[-1] if self.turns else None
        return turn if turn and turn.open and time.monotonic() - turn.started < BUSY_SECONDS else None

    def begin(self, question: str) -> Turn | None:
        """Open a turn; None while another one is still being answered."""
        with self.lock:
            if self.current():
                return None
            for turn in self.turns:
                if turn.open:
                    turn.state = "stopped"
            self.turns.append(Turn(question))
            return self.turns[-1]

    def finish(self, turn: Turn, answer: Answer) -> None:
        with self.lock:
            if turn.open:
                turn.state, turn.text, turn.answer = answer.state, answer.text, answer
        self._forget_old_traces()

    def fail(self, turn: Turn, message: str) -> None:
        with self.lock:
            if turn.open:
                turn.state, turn.text = "error", message

    def stop(self) -> Turn | None:
        """Stop the turn being answered; what was said so far stays."""
        with self.lock:
            turn = self.turns[-1] if self.turns and self.turns[-1].open else None
            if turn:
                turn.state = "stopped"
            return turn

    def take_back(self, index: int | None = None) -> str:
        """Remove the turn `index` (default: the last) and all after it; returns its question, "" when there is none."""
        self.stop()
        with self.lock:
            if not self.turns:
                return ""
            index = len(self.turns) - 1 if index is None else min(max(index, 0), len(self.turns) - 1)
            question = self.turns[index].question
            del self.turns[index:]
            return question

    def history(self) -> list[tuple[str, str]]:
        """Earlier (question, answer) turns for the model, oldest first."""
        done = [(turn.question, turn.text) for turn in self.turns if turn.state in ("answered", "refused")]
        return done[-KEPT_HISTORY:]

    def answered(self) -> list[tuple[int, Turn]]:
        """(number from 1, turn) of the turns that were answered, newest first."""
        return [(number, turn) for number, turn in enumerate(self.turns, start=1) if turn.answer is not None][::-1]

    def traced(self) -> list[tuple[int, Turn]]:
        """(number from 1, turn) of the answers whose attention can be shown, newest first; before the first question the examples."""
        if not self.turns:
            return self.recorded()
        return [(number, turn) for number, turn in self.answered() if turn.answer.trace is not None]

    def recorded(self) -> list[tuple[int, Turn]]:
        """The examples, numbered from -1 down."""
        return [(-number, turn) for number, turn in enumerate(self.examples, start=1)]

    def _forget_old_traces(self) -> None:
        for _, turn in self.traced()[KEPT_TRACES:]:
            turn.answer = replace(turn.answer, trace=None)
