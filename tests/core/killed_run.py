"""Run by test_resume.py: both long stages of a tiny training run. Arguments: the folder, the stage and the step at which the process is
killed by SIGKILL ("none 0": not at all; "cross-save 2": while that stage's second checkpoint is being written)."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import torch

from kblam_core import decoder
from kblam_core.training import attention_stage, cross_stage, files
from kblam_core.training.attention_stage import train_attention
from kblam_core.training.catalogue import load_catalogue
from kblam_core.training.config import TrainConfig
from tests.core.test_cross_encoder import TokenHashes, cross
from tests.core.tiny import byte_tokenizer, tiny_adapter, tiny_model
from tests.core.two_processes import questions

STEPS = 8


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_while_saving(number: int) -> None:
    """torch.save writes half of a file, the `number`-th time, and the process is gone."""
    whole, times = torch.save, iter(range(1, 100))

    def half(content, path: Path) -> None:
        if next(times) == number:
            Path(path).write_bytes(b"half of a file")
            kill()
        whole(content, path)

    files.torch.save = half


def main(folder: Path, stage: str, step: int) -> None:
    torch.set_num_threads(1)
    cross_stage.CHECKPOINT_EVERY = attention_stage.CHECKPOINT_EVERY = 3
    if stage == "cross-save":
        killed_while_saving(step)

    def report(number: int, loss: float) -> None:
        with (folder / "cross.txt").open("a") as file:
            file.write(f"{number} {loss!r}\n")
        if (stage, step) == ("cross", number):
            kill()

    made = cross(strong=False)
    torch.manual_seed(0)
    domains = list(load_catalogue()[:2])
    options = {"steps": STEPS, "batch_size": 4, "facts": 4, "domains": domains, "checkpoint": folder / "cross-checkpoint.pt"}
    cross_stage.train_cross(made, TokenHashes(), report=report, **options)
    files.save(made.state_dict(), folder / "cross.pt")
    if stage.startswith("cross"):
        return
    data, pool = questions()
    model, adapter = tiny_model(), tiny_adapter()
    decoder.attach(model, adapter)
    config = TrainConfig(out=folder, steps=STEPS, batch_size=4, max_triples=12, prior_drop=0.3)

    def watch(number: int, _) -> None:
        if (stage, step) == ("attention", number):
            with (folder / "metrics.jsonl").open("a") as file:
                file.write('{"step": 5, "pri')  # what a full buffer leaves
            kill()

    train_attention(adapter, model, byte_tokenizer(), data, pool, config, deadline=time.monotonic() + 10_000, report=watch)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
