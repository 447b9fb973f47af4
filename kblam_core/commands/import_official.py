"""`import-official` turns a checkpoint of microsoft/KBLaM into an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kblam_core.commands import shared
from kblam_core.errors import InputError


def import_official(
    checkpoint: Annotated[Path, typer.Argument(help="Folder of the checkpoint: the saved model, or its _encoder folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the adapter.")],
    backbone: Annotated[str, typer.Option(help="The language model it was trained on: a known name, a Hub id or a folder.")],
    encoder: Annotated[str | None, typer.Option(help="Its sentence encoder, where the width does not tell.")] = None,
    query_heads: Annotated[Path | None, typer.Option(help="File of the query heads, where they are not in the folder.")] = None,
    frequency: Annotated[int | None, typer.Option(min=1, help="A KB layer every so many (kb_layer_frequency).")] = None,
    scale: Annotated[float | None, typer.Option(min=1, help="C of + log C - log M (kb_scale_factor).")] = None,
) -> None:
    """Read a checkpoint of microsoft/KBLaM and write it as an adapter. It then answers in mode paper, as it was trained.

    \b
    Examples:
      python -m kblam_core import-official stage1_llama3_step_20000 --out official --backbone llama-3-8b
      python -m kblam_core ask --kb facts.csv --backbone llama-3-8b --adapter official "..."
    """
    if out.is_file():
        raise InputError(f"--out is a folder for the adapter, but {out} is a file. Name another folder.")
    from kblam_core.official import import_official as read

    with shared.working("Reading the checkpoint"):
        adapter, notes = read(
            checkpoint,
            out,
            backbone=backbone,
            encoder=encoder,
            query_heads=query_heads,
            frequency=frequency,
            scale=scale,
        )
    for note in notes:
        shared.say(f"note: {note}")
    config = adapter.config
    typer.echo(f"adapter for {config.backbone} with {config.encoder}, KB layers {', '.join(map(str, config.layers))}, in {out}")
