"""Several processes that train one adapter together, started by torchrun or accelerate: who is first, what is summed, what is agreed on.

Thin: accelerate starts the process group (NCCL on GPUs, gloo on CPUs) and carries the sums. A process alone is a team of one, for which
everything here does nothing.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from kblam_core.errors import InputError


@dataclass(frozen=True)
class Team:
    """number: of this process, from 0; size: how many there are."""

    number: int = 0
    size: int = 1

    @classmethod
    def join(cls, *, cpu: bool, hours: float) -> tuple["Team", torch.device | None]:
        """The team that the launcher's environment describes, of one without a launcher, and this process's GPU where it has one.

        hours: how long the others may wait for the first one, which trains the earlier stages alone. Raises InputError.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(), None
        from accelerate import PartialState

        state = PartialState(cpu=cpu, timeout=timedelta(hours=hours))
        if state.num_processes == 1:
            raise InputError("Several processes train together on CUDA GPUs or on the CPU (--device cpu); on this device start one.")
        return cls(state.process_index, state.num_processes), None if cpu else state.device

    @property
    def is_first(self) -> bool:
        return self.number == 0

    @contextlib.contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes through the block before the others: it makes the files, they read them."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            from accelerate.utils import wait_for_everyone

            wait_for_everyone()

    def as_first(self, value: Any) -> Any:
        """The first process's value, in every process (clocks differ)."""
        if self.size == 1:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of all processes' tensors."""
        if self.size == 1:
            return tensor
        from accelerate.utils import reduce

        return reduce(tensor, reduction="sum")

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in one message. A parameter without a gradient anywhere stays without one."""
        if self.size == 1:
            return
        flat = [torch.zeros_like(one).flatten() if one.grad is None else one.grad.flatten() for one in parameters]
        has = torch.tensor([float(one.grad is not None) for one in parameters], device=flat[0].device)
        total = self.sum(torch.cat([*flat, has]))
        *parts, has = total.split([*(one.numel() for one in parameters), len(parameters)])
        for parameter, part, count in zip(parameters, parts, has.tolist(), strict=True):
            parameter.grad = part.view_as(parameter) if count else None

    def start_alike(self, parameters: Sequence[nn.Parameter]) -> None:
        """Give every process the first one's parameters."""
        if self.size > 1:
            from accelerate.utils import broadcast

            with torch.no_grad():
                for parameter in parameters:
                    parameter.copy_(broadcast(parameter.detach().clone()))

    def leave(self) -> None:
        """Wait for the others and close the process group."""
        if self.size > 1:
            from accelerate import PartialState

            self.wait()
            PartialState().destroy_process_group()
