"""How an adapter is trained: one frozen dataclass, validated, written into the adapter's card."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from kblam_core.backbones import DEFAULT_BACKBONE
from kblam_core.encoders import DEFAULT_ENCODER
from kblam_core.errors import InputError

STAGES = ("both", "prior", "attention")


@dataclass(frozen=True)
class TrainConfig:
    """out: folder of the adapter and its checkpoints. time_limit: minutes for everything. steps: of the attention stage.

    cross_steps: of the cross-encoder (0: train without one). remembered: width of the wording memory's vectors (0: without one).
    questions: how many different questions are generated for the prior, and again for the attention. every, first: which layers get a
    KB branch.
    attention_loss: weight of the supervision of KB attention (0 switches it off). prior_drop: share of batches trained without the
    question prior, so that attention also learns to retrieve by itself; 1 trains plain KBLaM.
    """

    out: Path
    time_limit: float = 110.0
    steps: int = 500
    seed: int = 0
    resume: bool = True
    backbone: str = DEFAULT_BACKBONE
    encoder: str = DEFAULT_ENCODER
    batch_size: int = 16
    stage: str = "both"
    cross_steps: int = 1700
    remembered: int = 192
    questions: int = 12_000
    max_triples: int = 96
    every: int = 3
    first: int | None = None
    prior_epochs: int = 12
    attention_loss: float = 0.2
    prior_drop: float = 0.1
    map_rate: float = 3e-3
    query_rate: float = 5e-4
    gate_rate: float = 1e-2
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise InputError(f"stage must be one of {', '.join(STAGES)}, got '{self.stage}'.")
        for name in ("steps", "batch_size", "questions", "max_triples", "every", "prior_epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("time_limit", "attention_loss", "map_rate", "query_rate", "gate_rate"):
            if not math.isfinite(getattr(self, name)) or getattr(self, name) < 0:
                raise InputError(f"{name} must be a number of at least 0, got {getattr(self, name)}.")
        for name in ("cross_steps", "remembered"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, got {getattr(self, name)}.")
        if not 0 <= self.prior_drop <= 1:
            raise InputError(f"prior_drop must lie between 0 and 1, got {self.prior_drop}.")

    def layers(self, count: int) -> tuple[int, ...]:
        """KB layers of a backbone with `count` layers: every third, from 2/5 of the depth on.

        The lower layers' branches act as a soft prompt at most (paper, figure 4), and gradients need not reach below the first one.
        """
        first = self.first if self.first is not None else self.every * round(0.4 * count / self.every)
        return tuple(range(first, count, self.every))

    def card(self) -> dict:
        """The settings as plain JSON types, without paths."""
        return {name: value for name, value in asdict(self).items() if name not in ("out", "resume", "device")}
