"""`evaluate` asks a file of questions and judges the answers; `report` lays several results side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kblam_core.commands import shared
from kblam_core.commands.shared import Adapter, AnyBackbone, Device, Dtype, Encoder, Force, MaxRows, Quantize, Threshold, TopK
from kblam_core.errors import InputError
from kblam_core.triples import MAX_ROWS

_MODES = "kblam, paper, no-copy, no-prior, no-reader, no-shortlist, dense, rag, rag-plain, in-context or zero-shot."


def evaluate(
    kb: Annotated[list[Path] | None, typer.Option(help="Table of facts or encoded base; may be repeated.")] = None,
    questions: Annotated[list[Path] | None, typer.Option(help="Questions for the table, one --questions for each --kb.")] = None,
    suite: Annotated[Path | None, typer.Option(help="Folder with NAME.csv beside NAME.questions.jsonl.")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help="With --suite: main, or extra for NAME.extra.jsonl; repeatable.")] = None,
    pooled: Annotated[bool, typer.Option("--pool/--separate", help="All tables as one knowledge base, or each its own.")] = False,
    size: Annotated[int | None, typer.Option(min=1, help="Cut or pad each table to so many facts.")] = None,
    mode: Annotated[str, typer.Option(help=_MODES)] = "kblam",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the full report, one row a question, here.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask at most so many questions, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    top_k: TopK = None,
    threshold: Threshold = None,
    max_rows: MaxRows = MAX_ROWS,
    backbone: AnyBackbone = None,
    encoder: Encoder = None,
    adapter: Adapter = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    force: Force = False,
) -> None:
    """Ask a file of questions and judge the answers.

    Questions are JSON lines such as {"question": "Who runs Halden?", "entity": "Halden", "property": "director",
    "answer": "Mara Lund"}; "answer": null means that the table does not hold it and a refusal is right. Of a list of answers all must
    be given; "history": [["Who runs Halden?", "Mara Lund."]] holds the turns before.

    \b
    Modes:
      kblam       the method with all additions
      paper       plain KBLaM;  no-copy, no-prior, no-reader, no-shortlist: one addition off
      dense       the encoder's nearest fact alone
      rag         the same encoder's five nearest facts in the same model's prompt
      rag-plain   the same with a shorter prompt, without worked examples
      in-context  all facts in the prompt, while they fit
      zero-shot   the model without facts
    \b
    Examples:
      python -m kblam_core evaluate --kb facts.csv --questions facts.questions.jsonl --json kblam.json
      python -m kblam_core evaluate --suite assets/evaluation --mode rag --json rag.json
      python -m kblam_core evaluate --suite assets/evaluation --set main --set extra --size 1000 --json kblam-1000.json
      python -m kblam_core report kblam.json rag.json --out results.md
    """
    from kblam_core.evaluation.baselines import BASELINES
    from kblam_core.evaluation.questions import Question, read_questions
    from kblam_core.evaluation.runner import Case, check_mode, pool, run
    from kblam_core.evaluation.sizes import resize

    check_mode(mode)
    options = shared.ask_options("kblam", top_k=top_k, threshold=threshold)
    shared.check_target(json_out, what="report")
    asked_of: dict[Path, list[Question]] = {}
    for table, file in _pairs(kb or [], questions or [], suite, sets or []):
        asked_of.setdefault(table, []).extend(read_questions(file))
    sources = [(shared.find_source(table, max_rows=max_rows), asked) for table, asked in asked_of.items()]
    kblam = shared.load_kblam(backbone, encoder, adapter, device, dtype, quantize, force)
    cases = []
    for source, asked in sources:
        base = None if source.table else source.open(kblam)
        triples = source.table.triples if source.table else list(base.triples)
        cases.append(Case(source.name, triples, asked, base))
    if pooled and len(cases) > 1:
        cases = [pool(cases)]
    if size is not None:
        cases = resize(cases, size, seed=seed)
    about = {
        "backbone": backbone or kblam.backbone_name,
        "encoder": encoder,
        "adapter": Path(adapter).name if adapter else None,
        "device": device,
        "sets": sets or None,
        "adapter_fingerprint": None if mode in BASELINES else kblam.adapter.fingerprint(),
    }
    about |= {"top_k": options.top_k, "threshold": options.threshold}
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(mode), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(mode, total=None)
        result = run(
            kblam,
            cases,
            mode=mode,
            options=options,
            limit=limit,
            seed=seed,
            size=size,
            about={key: value for key, value in about.items() if value is not None},
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for note in result["notes"]:
        shared.say(f"note: {note}")
    if json_out is not None:
        from kblam_core.textfile import write_text

        write_text(json_out, _json(result), what="report")
    typer.echo(summary(result))
    if json_out is not None:
        typer.echo(f"full report: {json_out}")


def report(
    reports: Annotated[list[Path], typer.Argument(help="Files written by evaluate --json.")],
    out: Annotated[Path | None, typer.Option(help="Markdown file to write; without it the table is printed.")] = None,
    threshold_sweep: Annotated[bool, typer.Option("--threshold-sweep", help="Add what other refusal thresholds would do.")] = False,
    chart: Annotated[Path | None, typer.Option(help="Also draw accuracy, refusals and time by number of facts: an SVG file.")] = None,
) -> None:
    """Lay several results side by side as Markdown, and draw them.

    \b
    Examples:
      python -m kblam_core report kblam.json rag.json dense.json --out results.md
      python -m kblam_core report kblam.json --threshold-sweep
      python -m kblam_core report size-*.json --out sizes.md --chart sizes.svg
    """
    from kblam_core.evaluation.chart import chart as draw
    from kblam_core.evaluation.report import markdown, read_report
    from kblam_core.textfile import write_text

    shared.check_target(out, what="table")
    shared.check_target(chart, what="chart")
    read = [(path.stem, read_report(path)) for path in reports]
    picture = draw(read) if chart is not None else ""
    text = markdown(read, threshold_sweep=threshold_sweep)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text, what="table")
        typer.echo(f"{len(reports)} reports in {out}")
    if chart is not None:
        write_text(chart, picture, what="chart")
        typer.echo(f"chart in {chart}", err=out is None)  # stdout holds the table alone


def summary(result: dict[str, Any]) -> str:
    """The figures of a report in a few plain lines."""
    answer, refusal, retrieval, speed = (result[key] for key in ("answer", "refusal", "retrieval", "speed"))
    interval = result["intervals"]["accuracy"]
    lines = [
        f"{result['mode']}: {result['n_questions']:,} questions on {result['n_triples']:,} facts",
        f"accuracy   {_share(result['accuracy'])}   (95 %: {_share(interval[0])} to {_share(interval[1])})",
        f"answers    correct {_share(answer['correct'])}, exact {_share(answer['exact'])}, F1 {_share(answer['f1'])}",
        f"refusals   precision {_share(refusal['precision'])}, recall {_share(refusal['recall'])}",
        f"           false refusals {_share(refusal['false_refusal'])}",
    ]
    if retrieval["top1"] is not None:
        lines.append(f"retrieval  top-1 {_share(retrieval['top1'])}, top-5 {_share(retrieval['top5'])}")
    if result["calibration"] is not None:
        errors = [result["calibration"][key]["ece"] for key in ("answerable", "right")]
        told = ["–" if error is None else f"{error:.3f}" for error in errors]
        lines.append(f"confidence calibration error {told[0]} (the table answers), {told[1]} (the answer is right)")
    first, rate = speed["ttft_ms"], speed["tokens_per_s"]
    tail = "" if rate is None else f", {rate:.1f} tokens/s"
    lines.append(f"speed      first token {first['p50']:.0f} ms (p50), {first['p95']:.0f} ms (p95){tail}")
    for kind, figures in result["kinds"].items():
        lines.append(f"  {kind}: {_share(figures['accuracy'])} of {figures['n']}")
    for table in result.get("tables", []):
        lines.append(f"  [{table['name']}] accuracy {_share(table['accuracy'])} of {table['n_questions']}")
    return "\n".join(lines)


def _json(result: dict[str, Any]) -> str:
    """The report as JSON, its rows one a line: half the size, and two runs can be compared with diff."""
    figures = {key: value for key, value in result.items() if key != "rows"}
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in result["rows"])
    return json.dumps(figures, ensure_ascii=False, indent=1).removesuffix("\n}") + f',\n "rows": [\n  {rows}\n ]\n}}\n'


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f} %"


def _pairs(kb: list[Path], questions: list[Path], suite: Path | None, sets: list[str]) -> list[tuple[Path, Path]]:
    from kblam_core.evaluation.runner import MAIN, find_suite

    if suite is not None:
        if kb or questions:
            raise InputError("Give either --suite or --kb with --questions, not both.")
        return find_suite(suite, sets=sets or [MAIN])
    if sets:
        raise InputError("--set goes with --suite FOLDER. Name the questions of a --kb with --questions.")
    if not kb or not questions:
        raise InputError("Give --kb FILE and --questions FILE, or --suite FOLDER.")
    if len(kb) != len(questions):
        raise InputError(f"There are {len(kb)} --kb and {len(questions)} --questions. Give one --questions for each --kb.")
    return list(zip(kb, questions, strict=True))
