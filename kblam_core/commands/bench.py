"""`bench` prints speed by number of facts, beside retrieve-then-prompt on the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kblam_core.commands import shared
from kblam_core.errors import InputError


def bench(
    sizes: Annotated[str, typer.Option(help="Numbers of facts, with commas.")] = "10,100,500,1000,10000",
    questions: Annotated[int, typer.Option(min=1, help="Questions at each size; the median counts.")] = 5,
    with_rag: Annotated[bool, typer.Option("--rag/--no-rag", help="Also time retrieve-then-prompt.")] = True,
    json_out: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
    backbone: shared.AnyBackbone = None,
    encoder: shared.Encoder = None,
    adapter: shared.Adapter = None,
    device: shared.Device = "auto",
    dtype: shared.Dtype = "auto",
    quantize: shared.Quantize = None,
    force: shared.Force = False,
) -> None:
    """Measure time to first token, tokens a second and the time of one edit, by number of facts.

    \b
    Examples:
      python -m kblam_core bench
      python -m kblam_core bench --sizes 10,1000 --questions 3 --json bench.json
    """
    try:
        counts = [int(size) for size in sizes.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= count <= 1_000_000 for count in counts):
        raise InputError(f"--sizes needs whole numbers from 1 to 1,000,000 such as 10,100,1000, not {sizes!r}.")
    shared.check_target(json_out, what="figures")
    from kblam_core.evaluation.bench import bench as measure

    kblam = shared.load_kblam(backbone, encoder, adapter, device, dtype, quantize, force)
    with shared.working("Measuring") as status:
        lines = measure(kblam, sizes=counts, questions=questions, with_rag=with_rag, report=status.update)
    typer.echo(table(lines))
    if json_out is not None:
        from kblam_core.textfile import write_text

        write_text(json_out, json.dumps({"backbone": backbone or kblam.backbone_name, "sizes": lines}, indent=1) + "\n", what="figures")


def table(lines: list[dict[str, Any]]) -> str:
    """The figures as aligned text; milliseconds and tokens a second."""
    rag = "rag" in lines[0]
    header = ["facts", "first token ms", "tokens/s", *(["rag first token ms", "rag tokens/s"] if rag else [])]
    header += ["one edit ms", "encoding s"]
    rows = [header]
    for line in lines:
        speeds = [line["kblam"], *([line["rag"]] if rag else [])]
        cells = [f"{speed[key]:.1f}" if speed[key] is not None else "–" for speed in speeds for key in speed]
        rows.append([f"{line['facts']:,}", *cells, f"{line['edit_ms']:.1f}", f"{line['encode_s']:.1f}"])
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
