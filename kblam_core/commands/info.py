"""`info` says what a backbone needs to be trained: memory and hours, computed from its shapes, and measured where it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kblam_core.commands import shared
from kblam_core.errors import InputError

SUSTAINED = 50.0  # TFLOP/s


def info(
    backbone: Annotated[
        list[str] | None, typer.Option(help="Language model: a known name, a Hub id or a folder; may be repeated. Default: the known ones.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions a step.")] = 16,
    accumulate: Annotated[int, typer.Option(min=1, help="Parts that a step is taken in.")] = 1,
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Measure with activations computed twice.")] = False,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the attention stage.")] = 500,
    tflops: Annotated[float, typer.Option(min=0.001, help="What the GPU keeps up, in TFLOP/s, for the hours.")] = SUSTAINED,
    measure: Annotated[bool, typer.Option("--measure", help="Also make a few real steps here with one --backbone.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the table to this Markdown file instead of stdout.")] = None,
    device: shared.Device = "auto",
) -> None:
    """Say how much memory and time the attention stage of `train` takes, before anything is loaded.

    Numbers are computed from the shapes unless they say measured. A step has 16 questions of 72 tokens on tables of 96 facts.

    \b
    Examples:
      python -m kblam_core info
      python -m kblam_core info --backbone llama-3-8b --batch-size 32 --accumulate 4
      python -m kblam_core info --backbone smollm2-135m --measure
    """
    from kblam_core.backbones import BACKBONES

    names = backbone or list(BACKBONES)
    if measure and len(names) != 1:
        raise InputError("--measure makes real steps with one model: name it with --backbone.")
    shared.check_target(out, what="table")
    from kblam_core.training.config import TrainConfig
    from kblam_core.training.cost import Texts, compute

    config = TrainConfig(
        out=Path("unused"), batch_size=batch_size, accumulate=accumulate, steps=steps, checkpointing=checkpointing, device=device
    )
    costs = []
    for name in names:
        with shared.working(f"Computing the shapes of {name}"):
            costs.append(compute(name, config, Texts()))
    text = table(costs, config, tflops)
    if measure:
        text += "\n" + measured(names[0], config)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        shared.say(f"Wrote {out}")


def table(costs: list[Any], config: Any, tflops: float) -> str:
    """Markdown: a row for each backbone."""
    head = (
        "backbone",
        "parameters",
        "frozen weights",
        "adapter",
        "adapter in training",
        "activations",
        "in all",
        "in all with --checkpointing",
        f"hours of arithmetic at {tflops:g} TFLOP/s",
    )
    rows = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)])]
    for cost in costs:
        cells = (
            cost.backbone,
            millions(cost.parameters),
            gigabytes(cost.weights),
            millions(cost.trained),
            gigabytes(cost.training),
            gigabytes(cost.activations),
            gigabytes(cost.memory()),
            gigabytes(cost.memory(checkpointing=True)),
            f"{cost.flops * config.steps / tflops / 1e12 / 3600:.2g}",
        )
        rows.append(" | ".join(cells))
    lines = "\n".join(f"| {row} |" for row in rows)
    parts = f" in {config.accumulate} parts" if config.accumulate > 1 else ""
    return (
        f"Computed from the shapes: {config.steps} steps of {config.batch_size} questions{parts}, 72 tokens and 96 facts each; the frozen "
        "weights in bf16 (2 bytes), the adapter in float32 with gradient and two AdamW means (16 bytes a parameter); without the "
        "allocator's slack. The hours are a floor: small models wait for launches and for batches, not for arithmetic.\n\n"
        f"{lines}\n"
    )


def measured(name: str, config: Any) -> str:
    """One line of what a few real steps took here."""
    from transformers.utils import logging

    from kblam_core.training.cost import Texts, measure_here

    logging.disable_progress_bar()
    with shared.working(f"Making real steps with {name}"):
        found = measure_here(name, config, Texts())
    hours = found.seconds * config.steps / 3600
    return (
        f"Measured on {found.device}: {found.seconds:.2g} seconds a step, so {hours:.2g} hours for {config.steps} steps; "
        f"{gigabytes(found.memory)} at the peak."
    )


def gigabytes(number: float) -> str:
    return f"{number / 1e9:.2g} GB" if number < 10e9 else f"{number / 1e9:.0f} GB"


def millions(number: float) -> str:
    return f"{number / 1e6:,.1f} M" if number < 1e9 else f"{number / 1e9:.2f} B"
