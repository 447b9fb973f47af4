"""`ask` answers one question from a table; `encode` saves a table's encoded form so that the next start is quick."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kblam_core.commands import shared
from kblam_core.commands.shared import Adapter, AnyBackbone, Device, Dtype, Encoder, Force, MaxRows, Quantize, Threshold, TopK, Yes
from kblam_core.errors import InputError
from kblam_core.triples import MAX_ROWS

if TYPE_CHECKING:
    from kblam_core.answer import Answer


def ask(
    kb: Annotated[
        Path,
        typer.Option(help="Table of facts (.csv, .tsv, .json, .jsonl, .xlsx) or an encoded base (.safetensors)."),
    ],
    question: Annotated[str, typer.Argument(help="The question, in quotes.", show_default=False)] = "",
    questions: Annotated[
        Path | None, typer.Option(help='Answer a whole file: JSON lines with "question" (.jsonl), or one question a line (.txt).')
    ] = None,
    mode: Annotated[str, typer.Option(help="kblam, paper, no-copy, no-prior, no-reader or no-shortlist.")] = "kblam",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of text, with --questions one a line.")] = False,
    top_k: TopK = None,
    threshold: Threshold = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer, in tokens.")] = None,
    max_rows: MaxRows = MAX_ROWS,
    backbone: AnyBackbone = None,
    encoder: Encoder = None,
    adapter: Adapter = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    force: Force = False,
    yes: Yes = False,
) -> None:
    """Answer a question from a table of facts, or a file of questions, and name the facts the answer came from.

    A table has the columns entity, property and value. A question that no fact answers is refused, and the nearest facts are
    shown. Remarks on the table go to stderr, the answer to stdout.

    \b
    Examples:
      python -m kblam_core ask --kb facts.csv "Who runs the Halden Workshop?"
      python -m kblam_core ask --kb facts.csv --json "Who runs the Halden Workshop?"
      python -m kblam_core ask --kb facts.csv --questions questions.jsonl --json > answers.jsonl
      python -m kblam_core ask --kb facts.safetensors --mode paper "..."
    """
    from kblam_core.answer import MAX_QUESTION, MODES

    if questions is not None and question:
        raise InputError("Give either a question or --questions FILE, not both.")
    if questions is None and not question.strip():
        raise InputError("The question is empty. Write it in quotes after the options, or name a file with --questions.")
    if len(question) > MAX_QUESTION:
        raise InputError(f"The question has {len(question):,} characters; at most {MAX_QUESTION:,} are read. Shorten it.")
    if mode not in MODES:
        raise InputError(f"ask has no mode {mode!r}. Choose one of {', '.join(MODES)}.")
    options = shared.ask_options(mode, top_k=top_k, threshold=threshold, max_new_tokens=max_new_tokens)
    asked = None
    if questions is not None:
        from kblam_core.evaluation.questions import read_asked

        asked = read_asked(questions)
    source = shared.find_source(kb, max_rows=max_rows)
    kblam = shared.load_kblam(backbone, encoder, adapter, device, dtype, quantize, force)
    base = source.open(kblam, yes=yes)
    if asked is not None:
        for text, answer in zip(asked[0], kblam.ask_many(base, asked[0], histories=asked[1], options=options), strict=True):
            if as_json:
                typer.echo(json.dumps({"question": text, **answer.to_dict()}, ensure_ascii=False))
            else:
                typer.echo(f"{text}\n{answer.text}")
                _show_facts(answer)
                typer.echo()
        return
    if as_json:
        typer.echo(json.dumps(kblam.ask(base, question, options=options).to_dict(), ensure_ascii=False))
        return
    answer, shown = None, False
    for piece in kblam.stream(base, question, options=options):
        if isinstance(piece, str):
            typer.echo(piece, nl=False)
            shown = True
        else:
            answer = piece
    typer.echo("" if shown else answer.text)
    _show_facts(answer)


def _show_facts(answer: Answer) -> None:
    facts, title = (answer.sources, "From") if answer.sources else (answer.nearest, "Nearest facts")
    for place, fact in enumerate(facts[:5]):
        label = f"{title}:" if place == 0 else ""
        share = f"  ({fact.weight:.0%} of its attention to the table)" if answer.sources else ""
        typer.echo(f"{label:<{len(title) + 2}}{fact.entity} | {fact.property} | {fact.value}{share}")


def encode(
    kb: Annotated[Path, typer.Option(help="Table of facts: .csv, .tsv, .json, .jsonl or .xlsx.")],
    out: Annotated[Path, typer.Option(help="Where to write the encoded base: NAME.safetensors.")],
    max_rows: MaxRows = MAX_ROWS,
    backbone: AnyBackbone = None,
    encoder: Encoder = None,
    adapter: Adapter = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    force: Force = False,
    yes: Yes = False,
) -> None:
    """Encode a table once and save it; ask and evaluate take the file for --kb.

    \b
    Example:
      python -m kblam_core encode --kb facts.csv --out facts.safetensors
      python -m kblam_core ask --kb facts.safetensors "Who runs the Halden Workshop?"
    """
    if out.suffix.lower() != shared.ENCODED:
        raise InputError(f"An encoded base ends in {shared.ENCODED}, not {out.name!r}. Use --out {out.stem}{shared.ENCODED}")
    shared.check_target(out, what="encoded base")
    source = shared.find_source(kb, max_rows=max_rows)
    if source.table is None:
        raise InputError(f"{kb.name} is encoded already. Give --kb a table (.csv, .tsv, .json, .jsonl, .xlsx).")
    if not source.table.triples:
        raise InputError(f"{kb.name} holds no usable fact. Add rows with entity, property and value.")
    kblam = shared.load_kblam(backbone, encoder, adapter, device, dtype, quantize, force)
    base = source.open(kblam, yes=yes)
    base.save(out)
    typer.echo(f"{len(base.triples):,} facts encoded in {out}")
