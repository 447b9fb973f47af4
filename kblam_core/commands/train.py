"""`train` trains an adapter; the work is in kblam_core.training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kblam_core.commands import shared
from kblam_core.errors import InputError

_STAGES = ("both", "prior", "attention")


def train(
    out: Annotated[Path, typer.Option(help="Folder for the adapter and its checkpoints.")],
    time_limit: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes, saving the adapter.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the data and the weights.")] = None,
    resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from the last checkpoint in --out.")] = True,
    backbone: shared.Backbone = shared.DEFAULT_BACKBONE,
    encoder: shared.Encoder = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Questions a step.")] = None,
    stage: Annotated[str, typer.Option(help="both, prior or attention.")] = "both",
    questions: Annotated[int | None, typer.Option(min=1, help="Different questions to generate.")] = None,
    cross_steps: Annotated[int | None, typer.Option(min=0, help="Steps of the cross-encoder; 0 trains without one.")] = None,
    prior_drop: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of batches without the question prior; 1 trains plain KBLaM."),
    ] = None,
    attention_loss: Annotated[
        float | None, typer.Option(min=0, help="Weight of supervised attention; 0 switches it off, as in the paper.")
    ] = None,
    device: shared.Device = "auto",
    force: shared.Force = False,
) -> None:
    """Train an adapter for a frozen language model and encoder. Data is generated; nothing is downloaded but the weights.

    It can be stopped at any time (Ctrl-C) and resumed by the same command. With a GPU it uses it, in bf16.

    \b
    Examples:
      python -m kblam_core train --out my_adapter --time-limit 110
      python -m kblam_core train --out my_adapter --steps 200 --no-resume
      python -m kblam_core train --out plain_kblam --prior-drop 1 --attention-loss 0
      python -m kblam_core ask --kb facts.csv --adapter my_adapter "Who runs the Halden Workshop?"
    """
    if stage not in _STAGES:
        raise InputError(f"There is no stage {stage!r}. Choose one of {', '.join(_STAGES)}.")
    if out.is_file():
        raise InputError(f"--out is a folder for the adapter, but {out} is a file. Name another folder.")
    from kblam_core.training.config import TrainConfig
    from kblam_core.training.loop import train as run_training

    given = {
        "time_limit": time_limit,
        "steps": steps,
        "seed": seed,
        "encoder": encoder,
        "batch_size": batch_size,
        "questions": questions,
        "cross_steps": cross_steps,
        "prior_drop": prior_drop,
        "attention_loss": attention_loss,
        "device": device,
    }
    options = {name: value for name, value in given.items() if value is not None}
    run_training(TrainConfig(out=out, resume=resume, backbone=backbone, stage=stage, **options), force=force)
