"""`push` uploads an adapter to the Hugging Face Hub with a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kblam_core.commands import shared


def push(
    adapter: Annotated[Path, typer.Argument(help="Folder of the adapter.")],
    repo: Annotated[str, typer.Argument(help="Repository on the Hub: owner/name. It is made where it is not there.")],
    report: Annotated[list[Path] | None, typer.Option(help="Report of evaluate --json for the card; may be repeated.")] = None,
    private: Annotated[bool, typer.Option("--private/--public", help="Whether a new repository is private.")] = False,
    card_only: Annotated[bool, typer.Option("--card", help="Print the model card and upload nothing.")] = False,
) -> None:
    """Share an adapter: upload it to the Hugging Face Hub with a model card that holds its metrics.

    \b
    Examples:
      python -m kblam_core push my_adapter me/my-adapter --report kblam.json
      python -m kblam_core ask --kb facts.csv --adapter me/my-adapter "..."
    """
    from kblam_core.adapter import KblamAdapter
    from kblam_core.evaluation.report import read_report
    from kblam_core.hub import push as upload
    from kblam_core.model_card import model_card

    reports = [(path.stem, read_report(path)) for path in report or []]
    config = KblamAdapter.load(adapter).config
    card = model_card(repo, config, reports)
    if card_only:
        typer.echo(card, nl=False)
        return
    with shared.working("Uploading"):
        address = upload(adapter, repo, card, private=private)
    typer.echo(f"uploaded to {address}")
