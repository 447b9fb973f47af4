"""What each token attended to, and its reductions to small tables for a picture.

While answering, the KB attention of every KB layer and head is noted for the question's tokens and for each answer token (the row of
the position that produced it). At the end only the facts that got most are kept; the rest is summed in one column, the text in another.

Shapes: Tq question tokens, Ta answer tokens, L KB layers, H heads, M shortlisted facts, F kept facts.
"""

from dataclasses import dataclass

import numpy as np

from kblam_core.errors import InputError

KEPT_FACTS = 50
SCALES = ("raw", "table", "row")
FAINT = 2e-3  # below this the table's share is float16 noise, and a share within it says nothing


@dataclass(frozen=True)
class Heatmap:
    """weights (tokens, facts + 1), the last column all other facts; kb_mass: the table's share of all attention per token.

    scale: "raw", weights are shares of all attention; "table", of the attention on the table; "row", each fact's weights relative to
    its largest. peak: the largest weight of a fact in the maps of all layers and heads at this scale, a colour range to compare them by.
    """

    tokens: list[str]
    facts: list[int]
    weights: np.ndarray
    kb_mass: list[float]
    title: str
    scale: str = "raw"
    peak: float = 1.0


@dataclass(frozen=True)
class Trace:
    """weights (L, H, Tq + Ta, F + 2) float16: kept facts, then other facts, then text; each row sums to 1 (up to rounding).

    prior: for each kept fact the question prior's probability that it answers; None without the prior.
    """

    question_tokens: list[str]
    answer_tokens: list[str]
    layers: list[int]
    heads: int
    facts: list[int]
    weights: np.ndarray
    prior: list[float] | None = None

    def heatmap(
        self, *, rows: str = "answer", layer: int | None = None, head: int | None = None, top_k: int = 10, scale: str = "raw"
    ) -> Heatmap:
        """Tokens against the `top_k` facts that got most; layer and head None mean the mean over all of them.

        Raises InputError for a layer without KB branch, a head that is not there, other rows than "question" and "answer", or a scale
        not in SCALES.
        """
        if scale not in SCALES:
            raise InputError(f"scale must be one of {', '.join(SCALES)}, got '{scale}'.")
        if rows not in ("question", "answer"):
            raise InputError(f"rows must be 'question' or 'answer', got '{rows}'.")
        if layer is not None and layer not in self.layers:
            raise InputError(f"Layer {layer} has no KB branch; those that have: {', '.join(map(str, self.layers))}.")
        if head is not None and not 0 <= head < self.heads:
            raise InputError(f"Head {head} is not there: heads are 0 to {self.heads - 1}.")
        first = len(self.question_tokens)
        part = slice(0, first) if rows == "question" else slice(first, None)
        every = self.weights[:, :, part].astype(np.float32)  # (L, H, T, F + 2)
        peak = 1.0
        if scale != "row" and every.size and self.facts:
            table = np.clip(1 - every[..., -1:], FAINT, None) if scale == "table" else 1.0
            peak = min(1.0, float((every[..., : len(self.facts)] / table).max()))
        weights = every.mean(0) if layer is None else every[self.layers.index(layer)]
        weights = weights.mean(0) if head is None else weights[head]  # (T, F + 2)
        order = np.argsort(-weights[:, : len(self.facts)].sum(0), kind="stable")[: max(1, top_k)]
        shown = weights[:, order]
        kb_mass = 1.0 - weights[:, -1]
        others = np.clip(kb_mass - shown.sum(1), 0, 1)
        columns = np.concatenate([shown, others[:, None]], axis=1)  # (T, shown + 1)
        if scale == "table":
            columns = np.clip(columns / np.clip(kb_mass, FAINT, None)[:, None], 0, 1)
        elif scale == "row" and len(columns):
            columns = columns / np.clip(columns.max(0), 1e-9, None)
        return Heatmap(
            tokens=list(self.question_tokens if rows == "question" else self.answer_tokens),
            facts=[self.facts[number] for number in order],
            weights=columns,
            kb_mass=[float(mass) for mass in np.clip(kb_mass, 0, 1)],
            title=f"Attention of the {rows}'s tokens on facts, "
            f"{'mean of all KB layers' if layer is None else f'layer {layer}'}, "
            f"{'mean of all heads' if head is None else f'head {head}'}",
            scale=scale,
            peak=peak,
        )

    def shares(self) -> np.ndarray:
        """(Tq + Ta, F + 2) float32: each token's shares, mean of all KB layers and heads; the last two are other facts and the text."""
        return self.weights.astype(np.float32).mean((0, 1))

    def head_shares(self, facts: list[int] | None = None) -> np.ndarray:
        """(L, H) float32: the share each head gives to these facts, mean over the answer's tokens; None: to the whole table."""
        answer = self.weights[:, :, len(self.question_tokens) :].astype(np.float32)  # (L, H, Ta, F + 2)
        if not answer.shape[2]:
            return np.zeros(answer.shape[:2], np.float32)
        if facts is None:
            return 1 - answer[..., -1].mean(2)
        return answer[..., [place for place, fact in enumerate(self.facts) if fact in set(facts)]].sum(-1).mean(2)


class TraceRecorder:
    """Collects rows of KB attention while answering; `finish` keeps what a picture needs."""

    def __init__(self, layers: list[int], heads: int, rows: np.ndarray, prior: np.ndarray | None = None) -> None:
        self._layers, self._heads, self._rows = layers, heads, rows  # rows (M,): shortlisted triples' numbers in the base
        self._prior = prior  # (M,) probabilities
        self._question: list[str] = []
        self._answer: list[str] = []
        self._weights: list[np.ndarray] = []  # (L, H, T, M) each

    def question(self, tokens: list[str], weights: np.ndarray) -> None:
        """Note the question's tokens and their KB attention (L, H, Tq, M)."""
        self._question = tokens
        self._weights.append(weights.astype(np.float16))

    def answer(self, token: str, weights: np.ndarray) -> None:
        """Note one answer token and the KB attention (L, H, M) of the position that produced it."""
        self._answer.append(token)
        self._weights.append(weights[:, :, None].astype(np.float16))

    def finish(self) -> Trace:
        """The trace, with at most KEPT_FACTS facts."""
        weights = np.concatenate(self._weights, axis=2).astype(np.float32)  # (L, H, T, M)
        order = np.argsort(-weights.sum((0, 1, 2)), kind="stable")[:KEPT_FACTS]
        kept = weights[..., order]
        total = weights.sum(-1, keepdims=True)
        columns = np.concatenate([kept, np.clip(total - kept.sum(-1, keepdims=True), 0, 1), np.clip(1 - total, 0, 1)], axis=-1)
        return Trace(
            question_tokens=self._question,
            answer_tokens=self._answer,
            layers=self._layers,
            heads=self._heads,
            facts=[int(self._rows[number]) for number in order],
            weights=columns.astype(np.float16),
            prior=None if self._prior is None else [float(self._prior[number]) for number in order],
        )
