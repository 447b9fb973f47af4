"""What a question is answered with: text, sources, numbers, and the options that shaped it."""

from dataclasses import asdict, dataclass

from kblam_core.errors import InputError
from kblam_core.trace import Trace

MODES = ("kblam", "paper", "no-copy", "no-prior", "no-reader", "no-shortlist")
MAX_QUESTION = 2_000


@dataclass(frozen=True)
class AskOptions:
    """How to ask. mode "paper" is plain KBLaM: no prior, no shortlist, no copy gate; the others switch one addition off.

    top_k: size of the shortlist; threshold: refuse when the probability that a fact answers is below it; trace: keep the attention.
    """

    mode: str = "kblam"
    top_k: int = 256
    max_new_tokens: int = 256
    threshold: float = 0.5
    trace: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(f"Unknown mode '{self.mode}'. Known: {', '.join(MODES)}.")
        if self.top_k < 1:
            raise InputError(f"top_k (size of the shortlist) must be at least 1, got {self.top_k}.")
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}.")
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold must lie between 0 and 1, got {self.threshold}.")

    @property
    def prior(self) -> bool:
        return self.mode not in ("paper", "no-prior")

    @property
    def reader(self) -> bool:
        return self.mode not in ("paper", "no-prior", "no-reader")

    @property
    def shortlist(self) -> bool:
        return self.mode not in ("paper", "no-shortlist")

    @property
    def copy(self) -> bool:
        return self.mode not in ("paper", "no-copy")


@dataclass(frozen=True)
class Source:
    """A fact and its share (0..1) of the attention that went to the table. index: its row in the knowledge base."""

    index: int
    entity: str
    property: str
    value: str
    weight: float


@dataclass(frozen=True)
class Timing:
    """Milliseconds to the first token and to the last, counted from the question; number of tokens generated."""

    ttft_ms: float
    total_ms: float
    tokens: int


@dataclass(frozen=True)
class Answer:
    """state: "answered" | "refused" | "empty_table" (the model alone answered, no fact supports it) | "small_talk" (a greeting or thanks).

    kb_mass: share of the attention that went to the table, 0..1.

    confidence: probability that a fact of the table answers. sources: facts the answer used, strongest first; nearest: the facts
    nearest to the question, whatever the outcome.
    """

    text: str
    refused: bool
    state: str
    kb_mass: float
    confidence: float
    sources: list[Source]
    nearest: list[Source]
    timing: Timing
    trace: Trace | None = None

    def to_dict(self) -> dict:
        """Plain JSON types, without the trace."""
        return {
            "answer": self.text,
            "refused": self.refused,
            "state": self.state,
            "kb_mass": round(self.kb_mass, 4),
            "confidence": round(self.confidence, 4),
            "sources": [_plain(source) for source in self.sources],
            "nearest": [_plain(source) for source in self.nearest],
            "timing": {name: round(value, 1) for name, value in asdict(self.timing).items()},
        }


def _plain(source: Source) -> dict:
    return {
        "entity": source.entity,
        "property": source.property,
        "value": source.value,
        "weight": round(source.weight, 4),
    }
