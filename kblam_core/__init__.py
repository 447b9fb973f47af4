"""KBLaM: facts in the attention of a frozen language model (arXiv 2410.10450).

from kblam_core import Kblam, Triple

kblam = Kblam.load()
kb = kblam.knowledge_base([Triple("Halden Workshop", "head", "Ingrid Solberg")])
print(kblam.ask(kb, "Who runs the Halden Workshop?").text)
"""

from typing import TYPE_CHECKING

from kblam_core.errors import InputError, KblamError, MissingWeightsError, NotEnoughMemoryError, ServiceError, UnsupportedModelError
from kblam_core.grid import Grid, read_grid
from kblam_core.triples import (
    Problem,
    Table,
    Triple,
    clean_rows,
    parse_table,
    read_table,
    triples_to_csv,
    write_table,
)

if TYPE_CHECKING:
    from kblam_core.answer import Answer, AskOptions, Source, Timing
    from kblam_core.evaluation.baselines import BASELINES, Reply
    from kblam_core.evaluation.metrics import is_correct
    from kblam_core.knowledge_base import KnowledgeBase
    from kblam_core.model import Kblam
    from kblam_core.remote_encoder import Sending
    from kblam_core.shape import ModelShape
    from kblam_core.trace import Heatmap, Trace

# torch and transformers take seconds to import: names that need them are fetched when first asked for.
_LATER = {
    "BASELINES": "evaluation.baselines",
    "Reply": "evaluation.baselines",
    "is_correct": "evaluation.metrics",
    "Answer": "answer",
    "AskOptions": "answer",
    "Source": "answer",
    "Timing": "answer",
    "KnowledgeBase": "knowledge_base",
    "Kblam": "model",
    "Sending": "remote_encoder",
    "ModelShape": "shape",
    "Heatmap": "trace",
    "Trace": "trace",
}

__all__ = [
    "BASELINES",
    "Answer",
    "AskOptions",
    "Grid",
    "Heatmap",
    "InputError",
    "Kblam",
    "KblamError",
    "KnowledgeBase",
    "MissingWeightsError",
    "ModelShape",
    "NotEnoughMemoryError",
    "Problem",
    "Reply",
    "Sending",
    "ServiceError",
    "Source",
    "Table",
    "Timing",
    "Trace",
    "Triple",
    "UnsupportedModelError",
    "clean_rows",
    "is_correct",
    "parse_table",
    "read_grid",
    "read_table",
    "triples_to_csv",
    "write_table",
]


def __getattr__(name: str) -> object:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(f"kblam_core.{_LATER[name]}"), name)
    raise AttributeError(f"module 'kblam_core' has no attribute '{name}'")
