"""The copy gate's second voice: continue, token by token, the sentence of an attended fact.

A pointer that is kept, not guessed: every fact whose sentence the answer has followed so far stays alive, weighted by its share of the
KB attention; the refusal is one more sentence, weighted by the probability that no fact answers. A sentence is copied once. When it
is complete, the answer ends or goes on with another fact. That is what makes names, numbers and codes exact and loops impossible.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

REFUSE = -1  # the number of the refusal among the sources; facts count from 0


@dataclass
class CopyState:
    """Where the answer stands in each sentence. firsts, others: token ids of each fact's sentence as first and as later sentence."""

    firsts: Sequence[Sequence[int]]
    others: Sequence[Sequence[int]]
    refusal: Sequence[int]
    end: int
    more: np.ndarray  # (M,) probability that a fact answers (also) by itself; says whether the answer goes on
    used: list[int] = field(default_factory=list)  # facts whose sentence is complete, in order
    refused: bool = False
    _position: int = 0
    _alive: list[int] | None = None  # None: before the first token of a sentence
    _shares: np.ndarray | None = None  # those of the last distribution

    def _sentence(self, source: int) -> Sequence[int]:
        if source == REFUSE:
            return self.refusal
        return self.others[source] if self.used else self.firsts[source]

    def sources(self) -> list[int]:
        """Sources that the next token may continue."""
        if self._alive is not None:
            return self._alive
        if self.refused:
            return []
        facts = [fact for fact in range(len(self.firsts)) if fact not in self.used]
        return facts if self.used else [REFUSE, *facts]

    def distribution(self, shares: np.ndarray, answerable: float) -> dict[int, float]:
        """Next token -> probability; empty when the answer follows no sentence. shares (M,): KB attention within the table."""
        self._shares = shares
        if self._alive is None and (self.used or self.refused):
            left = [fact for fact in range(len(self.firsts)) if fact not in self.used]
            go_on = max((float(self.more[fact]) for fact in left), default=0.0) if not self.refused else 0.0
            result = {self.end: 1.0 - go_on}
            if go_on > 0:
                for token, weight in self._tokens(left, shares, 1.0).items():
                    result[token] = result.get(token, 0.0) + go_on * weight
            return result
        return self._tokens(self.sources(), shares, answerable)

    def _tokens(self, sources: Sequence[int], shares: np.ndarray, answerable: float) -> dict[int, float]:
        facts = [source for source in sources if source != REFUSE]
        total = float(sum(shares[fact] for fact in facts)) or 1e-9
        scale = answerable if REFUSE in sources else 1.0
        if not facts:
            scale = 0.0
        result: dict[int, float] = {}
        for source in sources:
            weight = 1.0 - scale if source == REFUSE else scale * float(shares[source]) / total
            token = self._sentence(source)[self._position]
            result[token] = result.get(token, 0.0) + weight
        return result

    def advance(self, token: int) -> None:
        """Note the token that was chosen."""
        alive = [source for source in self.sources() if self._sentence(source)[self._position] == token]
        self._position += 1
        done = [source for source in alive if len(self._sentence(source)) == self._position]
        longer = [source for source in alive if source not in done]
        if longer and done and REFUSE not in done and self._share(longer) > self._share(done):
            done, alive = [], longer  # one sentence ends where another goes on, and attention is on the other
        if done:
            # Two facts with one sentence cannot be told apart; both are used up.
            if REFUSE in done:
                self.refused = True
            self.used.extend(source for source in done if source != REFUSE)
            self._alive, self._position = None, 0
            return
        self._alive = alive

    def _share(self, facts: Sequence[int]) -> float:
        return max((float(self._shares[fact]) for fact in facts if fact != REFUSE), default=0.0) if self._shares is not None else 0.0

    def remainder(self, shares: np.ndarray) -> list[int]:
        """The rest of the likeliest sentence, as a draft that may be checked in one pass."""
        sources = self.sources() if self._alive else []
        if not sources:
            return []
        best = max(sources, key=lambda source: 2.0 if source == REFUSE else float(shares[source]))
        return list(self._sentence(best)[self._position :])
