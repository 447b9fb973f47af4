"""How an adapter is trained: one frozen dataclass, validated, written into the adapter's card."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from kblam_core.backbones import DEFAULT_BACKBONE
from kblam_core.encoders import DEFAULT_ENCODER
from kblam_core.errors import InputError

STAGES = ("both", "prior", "attention")
PRECISIONS = ("auto", "bf16", "float32")


@dataclass(frozen=True)
class TrainConfig:
    """out: folder of the adapter and its checkpoints. time_limit: minutes for everything. steps: of the attention stage.

    cross_steps: of the cross-encoder, reader_steps: of the reader (0: train without one). remembered: width of the wording memory's
    vectors (0: without one). prior_epochs: of the question prior without the reader, read_epochs: after those, with it.
    questions: how many different questions are generated for the attention, and twice as many for the prior,
    which gets at most as many again from the people's tables. every, first: which layers
    get a KB branch.
    attention_loss: weight of the supervision of KB attention (0 switches it off). prior_drop: share of batches trained without the
    question prior, so that attention also learns to retrieve by itself; 1 trains plain KBLaM. batch_size: questions of a step, in all
    processes together; accumulate: in how many parts a process takes its share of them, one after the other, to save memory.
    checkpointing: compute activations twice rather than keep them. precision: of the frozen backbone.
    kb: a table of one's own that questions are made from, as a share kb_share of all; start_from: an adapter to go on from.
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
    cross_steps: int = 2400
    reader_steps: int = 1900
    remembered: int = 192
    questions: int = 12_000
    max_triples: int = 96
    every: int = 3
    first: int | None = None
    prior_epochs: int = 24
    read_epochs: int = 8
    attention_loss: float = 0.2
    prior_drop: float = 0.1
    map_rate: float = 3e-3
    query_rate: float = 5e-4
    gate_rate: float = 1e-2
    device: str = "auto"
    accumulate: int = 1
    checkpointing: bool = False
    precision: str = "auto"
    kb: Path | None = None
    kb_share: float = 0.5
    start_from: str | None = None
    trackio: bool = False

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise InputError(f"stage must be one of {', '.join(STAGES)}, got '{self.stage}'.")
        for name in ("steps", "batch_size", "questions", "max_triples", "every", "prior_epochs", "read_epochs", "accumulate"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("time_limit", "attention_loss", "map_rate", "query_rate", "gate_rate"):
            if not math.isfinite(getattr(self, name)) or getattr(self, name) < 0:
                raise InputError(f"{name} must be a number of at least 0, got {getattr(self, name)}.")
        for name in ("cross_steps", "reader_steps", "remembered"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, got {getattr(self, name)}.")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got '{self.precision}'.")
        if self.accumulate > self.batch_size:
            raise InputError(f"accumulate cuts the {self.batch_size} questions of a step into parts: {self.accumulate} parts are too many.")
        if not 0 <= self.prior_drop <= 1:
            raise InputError(f"prior_drop must lie between 0 and 1, got {self.prior_drop}.")
        if not 0 < self.kb_share <= 1:
            raise InputError(f"kb_share must lie above 0 and be at most 1, got {self.kb_share}.")

    def layers(self, count: int) -> tuple[int, ...]:
        """KB layers of a backbone with `count` layers: every third, from 2/5 of the depth on.

        The lower layers' branches act as a soft prompt at most (paper, figure 4), and gradients need not reach below the first one.
        """
        first = self.first if self.first is not None else self.every * round(0.4 * count / self.every)
        return tuple(range(first, count, self.every))

    def card(self) -> dict:
        """The settings as plain JSON types, without paths."""
        return {
            name: value for name, value in asdict(self).items() if name not in ("out", "resume", "device", "kb", "start_from", "trackio")
        }
