"""Hugging Face Spaces glue: ZeroGPU where it is offered, nothing at all elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable)
GPU_SECONDS = 30  # checked against the visitor's quota before a call, so small

try:
    import spaces
except ImportError:  # the platform brings the package; a laptop has none
    spaces = None


def on_zero_gpu() -> bool:
    """True on a Space whose GPU is lent per call; each GPU call then runs in a worker forked from this process."""
    return spaces is not None and bool(os.environ.get("SPACES_ZERO_GPU"))


def on_gpu(function: Function) -> Function:
    """Mark the one function that runs the model. Unchanged where the `spaces` package is missing."""
    return function if spaces is None else spaces.GPU(duration=GPU_SECONDS)(function)
