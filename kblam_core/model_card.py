"""The model card of an adapter: what it fits, how to use it, how it was trained, and what was measured."""

from collections.abc import Sequence
from typing import Any

from kblam_core.adapter import AdapterConfig
from kblam_core.backbones import BACKBONES
from kblam_core.evaluation.report import markdown

Reports = Sequence[tuple[str, dict[str, Any]]]


def model_card(repo: str, config: AdapterConfig, reports: Reports = ()) -> str:
    """Markdown with the Hub's front matter. reports: (name, report of `evaluate --json`), shown and listed as the model's metrics."""
    base = BACKBONES[config.backbone].repo if config.backbone in BACKBONES else config.backbone
    mode = "It answers in mode `paper` (plain KBLaM)." if config.paper_only else ""
    parts = [
        f"---\n{_front_matter(repo, base, reports)}\n---",
        f"# {repo.partition('/')[2]}",
        f"A KBLaM adapter ([arXiv 2410.10450](https://arxiv.org/abs/2410.10450)): it lets the frozen model `{base}` answer from a table "
        f"of facts through its attention. {mode}".strip(),
        f'```bash\npython -m kblam_core ask --kb facts.csv --backbone {config.backbone} --adapter {repo} "Who runs the Halden Workshop?"\n'
        "```",
        f"- language model: `{base}`\n- sentence encoder: `{config.encoder}` ({config.encoder_width} wide)\n"
        f"- layers with a KB branch: {', '.join(map(str, config.layers))}",
    ]
    if reports:
        parts.append(markdown(reports).replace("\n# ", "\n## ").replace("# Evaluation", "## Evaluation", 1).strip())
    else:
        parts.append("## Evaluation\n\nNo evaluation was uploaded with this adapter.")
    if config.card:
        rows = "\n".join(f"| {_cell(name)} | {_cell(value)} |" for name, value in _flat(config.card))
        parts.append(f"## Training\n\n| | |\n| --- | --- |\n{rows}")
    return "\n\n".join(parts) + "\n"


def _front_matter(repo: str, base: str, reports: Reports) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = []
    for name, report in reports:
        figures = {
            "accuracy": report["accuracy"],
            "exact_match": report["answer"].get("exact"),
            "f1": report["answer"].get("f1"),
            "refusal_precision": report["refusal"].get("precision"),
            "refusal_recall": report["refusal"].get("recall"),
        }
        results += [
            EvalResult(
                task_type="question-answering",
                dataset_type=name,
                dataset_name=f"{name} ({report['mode']})",
                metric_type=metric,
                metric_value=round(value, 4),
            )
            for metric, value in figures.items()
            if value is not None
        ]
    data = ModelCardData(
        base_model=base if base.count("/") == 1 else None,
        library_name="kblam",
        language="en",
        pipeline_tag="question-answering",
        tags=["kblam", "knowledge-base", "adapter"],
        model_name=repo.partition("/")[2] if results else None,
        eval_results=results or None,
    )
    return data.to_yaml().strip()


def _flat(card: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Nested settings as rows such as ("settings.seed", 0)."""
    rows = []
    for name, value in card.items():
        rows += _flat(value, f"{before}{name}.") if isinstance(value, dict) else [(before + name, value)]
    return rows


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")
