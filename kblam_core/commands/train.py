"""`train` trains an adapter; the work is in kblam_core.training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kblam_core.commands import shared
from kblam_core.errors import InputError
from kblam_core.triples import read_table

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
    reader_steps: Annotated[int | None, typer.Option(min=0, help="Steps of the reader; 0 trains without one.")] = None,
    prior_drop: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of batches without the question prior; 1 trains plain KBLaM."),
    ] = None,
    attention_loss: Annotated[
        float | None, typer.Option(min=0, help="Weight of supervised attention; 0 switches it off, as in the paper.")
    ] = None,
    kb: Annotated[
        Path | None, typer.Option(help="Your own table: questions are made from its rows and mixed with the generated ones.")
    ] = None,
    kb_share: Annotated[float | None, typer.Option(min=0.01, max=1, help="Share of the questions that --kb gives (0.5).")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Go on from this adapter, a folder or owner/name on the Hub, at a third of the learning rates.")
    ] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, help="Take a step's questions in so many parts: same gradients, less memory.")
    ] = None,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="Compute activations twice rather than keep them: same gradients, less memory.")
    ] = False,
    precision: Annotated[str | None, typer.Option(help="Of the frozen model: auto, bf16 or float32.")] = None,
    trackio: Annotated[bool, typer.Option("--trackio", help="Send the metrics to trackio too, where it is installed.")] = False,
    device: shared.Device = "auto",
    force: shared.Force = False,
) -> None:
    """Train an adapter for a frozen language model and encoder. Data is generated; nothing is downloaded but the weights.

    It can be stopped at any time (Ctrl-C) and resumed by the same command. With a GPU it uses it, in bf16.

    To adjust an adapter to your own table, start from it and give the table: its rows become questions (also ones about rows left out,
    which the model learns to refuse), half of all; the other half keeps what it knew. Facts need no training: an edit counts at once.

    On several GPUs or processes, start it with torchrun; --batch-size is that of all together, so the result stays the same.

    \b
    Examples:
      python -m kblam_core train --out my_adapter --time-limit 110
      python -m kblam_core train --out my_adapter --steps 200 --no-resume
      python -m kblam_core train --out plain_kblam --prior-drop 1 --attention-loss 0
      python -m kblam_core train --out mine --kb my.csv --start-from assets/adapters/smollm2-135m --questions 2000 --steps 100
      torchrun --nproc-per-node 4 -m kblam_core train --out large --backbone llama-3-8b --checkpointing --accumulate 2
      python -m kblam_core ask --kb facts.csv --adapter my_adapter "Who runs the Halden Workshop?"
    """
    if stage not in _STAGES:
        raise InputError(f"There is no stage {stage!r}. Choose one of {', '.join(_STAGES)}.")
    if out.is_file():
        raise InputError(f"--out is a folder for the adapter, but {out} is a file. Name another folder.")
    if kb is None and kb_share is not None:
        raise InputError("--kb-share is the share of your own table's questions: name the table too, with --kb.")
    if kb is not None:
        from kblam_core.training.own_table import own_rows

        shared.show_problems(kb.name, read_table(kb).problems)
        shared.say(f"{len(own_rows(kb)):,} facts of {kb.name} take part in the training.")
    if trackio:
        from kblam_core.training.tracking import find_trackio

        find_trackio()  # before the slow work
    from kblam_core.adapter import KblamAdapter
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
        "reader_steps": reader_steps,
        "prior_drop": prior_drop,
        "attention_loss": attention_loss,
        "device": device,
        "kb": kb,
        "kb_share": kb_share,
        "start_from": start_from,
        "accumulate": accumulate,
        "checkpointing": checkpointing or None,
        "precision": precision,
        "trackio": trackio or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    folder = run_training(TrainConfig(out=out, resume=resume, backbone=backbone, stage=stage, **options), force=force)
    card = KblamAdapter.load(folder).config.card if kb is not None else {}
    if own := card.get("own_table"):
        before = f", {own['before']:.0%} before" if "before" in own else ""
        shared.say(f"Other questions on {kb.name}: the question prior handles {own['prior']:.0%} right{before}.")
