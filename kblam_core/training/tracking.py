"""Metrics of the attention stage to trackio (a local, free tracker), where that package is installed and asked for."""

import importlib
from types import ModuleType

from kblam_core.errors import InputError
from kblam_core.training.config import TrainConfig
from kblam_core.training.losses import Losses


def find_trackio() -> ModuleType:
    """The package. Raises InputError where it is missing."""
    try:
        return importlib.import_module("trackio")
    except ImportError:
        raise InputError("--trackio needs the package trackio: install it with `pip install trackio`, or leave the option out.") from None


class Tracker:
    """One run of trackio, named after the output folder; open until `finish`."""

    def __init__(self, config: TrainConfig) -> None:
        self._trackio = find_trackio()
        self._trackio.init(project="kblam", name=config.out.name, config=config.card())

    def log(self, step: int, losses: Losses) -> None:
        self._trackio.log({"step": step} | {name: float(getattr(losses, name)) for name in Losses.__dataclass_fields__})

    def finish(self) -> None:
        self._trackio.finish()
