"""Write the tables of README.md from assets/results/*.json: python tools/readme_results.py

What stands between `<!-- results -->` and `<!-- /results -->` is replaced; a report that is not there is left out.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "assets" / "results"
SUITES = {
    "fresh": "**fresh tables, natural wordings**",
    "sealed": "**sealed tables, natural wordings**",
    "blind": "**blind tables, names shortened, indirect wordings**",
    "everyday": "everyday tables, written like the blind ones",
    "unseen": "unseen tables and properties",
    "held-out": "held-out entities, training wordings",
}
MODES = {
    "kblam": "**kblam**",
    "rag": "retrieve-then-prompt, top 5, prompt with worked examples (`rag`)",
    "rag-plain": "retrieve-then-prompt, top 5, short prompt (`rag-plain`)",
    "in-context": "as much of the table as fits into the prompt (`in-context`)",
    "dense": "the encoder's nearest fact, never refuses (`dense`)",
    "no-copy": "kblam without the copy gate (`no-copy`)",
    "no-prior": "kblam without the question prior (`no-prior`)",
    "no-reader": "kblam without the reader (`no-reader`)",
    "no-shortlist": "kblam without the shortlist (`no-shortlist`)",
    "no-attention-loss": "kblam, an adapter trained without supervised attention",
    "paper": "plain KBLaM with this adapter (`paper`)",
    "paper-trained": "plain KBLaM, an adapter trained for it (`paper`)",
    "zero-shot": "no table (`zero-shot`)",
}
SIZES = (10, 100, 1000, 10_000)
HARDER = {
    "two_facts": "two facts, both values right",
    "follow_up": 'follow-up: "and its budget?"',
    "follow_up_entity": 'follow-up: "And Linden House?"',
    "follow_up_missing": "follow-up without an answer, refused",
    "lower_case": "lower case",
    "no_question_mark": "no question mark",
    "typo": "typing errors",
}


def main() -> None:
    """Fill the section."""
    path = ROOT / "README.md"
    parts = [suites(), modes(), sizes(), harder(), speed()]
    section = "\n\n".join(part for part in parts if part)
    text = path.read_text(encoding="utf-8")
    found = re.subn(r"(<!-- results -->\n).*?(\n<!-- /results -->)", lambda match: match[1] + section + match[2], text, flags=re.DOTALL)
    if found[1] != 1:
        raise SystemExit("README.md has no section between <!-- results --> and <!-- /results -->.")
    path.write_text(found[0], encoding="utf-8")


def suites() -> str:
    """Every question of the suites in the shipped mode."""
    reports = {title: report for name, title in SUITES.items() if (report := load(f"{name}-kblam"))}
    lines = [
        "Default model (SmolLM2-135M-Instruct, all-MiniLM-L6-v2, shipped adapter, default threshold), two CPU cores, float32.",
        "Printed by `evaluate`; one row per question in `assets/results/`.",
        "",
        *head("questions", "accuracy (95 %)", "answers correct", "false refusal", "refusal recall", "top-1 / top-5"),
    ]
    for title, report in reports.items():
        asked = f"{title}: {report['n_questions']} questions, {report['n_triples']:,} facts"
        retrieval = f"{percent(report['retrieval']['top1'])} / {percent(report['retrieval']['top5'])}"
        lines.append(row(asked, *quality(report), retrieval))
    lines += [
        "",
        "Accuracy counts answerable questions answered right and unanswerable ones refused. Refused, by kind of unanswerable question:",
        "",
        *head("", "missing entity", "near miss", "missing property", "unrelated"),
    ]
    for title, report in reports.items():
        kinds = ("missing_entity", "near_miss", "missing_property", "unrelated")
        lines.append(row(title, *(kind(report, name) for name in kinds)))
    if fresh := load("fresh-kblam"):
        time, sure = fresh["speed"]["ttft_ms"], fresh["calibration"]
        lines += [
            "",
            f"On the fresh tables the first token came after {time['p50']:.0f} ms (median; 95th percentile {time['p95']:.0f} ms), then "
            f"{fresh['speed']['tokens_per_s']:.0f} tokens a second.",
            f"Expected calibration error of the confidence: {sure['answerable']['ece']:.3f} (that the table answers), "
            f"{sure['right']['ece']:.3f} (that the answer is right).",
        ]
    return "\n".join(lines) if reports else ""


def modes() -> str:
    """The same questions in every mode."""
    reports = {title: report for mode, title in MODES.items() if (report := load(f"fresh-60-{mode}"))}
    if not reports:
        return ""
    count = next(iter(reports.values()))["n_questions"]
    names = ("mode", "accuracy (95 %)", "answers correct", "false refusal", "refusal recall", "first token ms", "tokens/s")
    lines = [f"The same questions, model and encoder side by side ({count} drawn from the fresh ones):", "", *head(*names)]
    for title, report in reports.items():
        time = report["speed"]
        lines.append(row(title, *quality(report), number(time["ttft_ms"]["p50"]), number(time["tokens_per_s"])))
    return "\n".join(lines)


def sizes() -> str:
    """Unseen tables cut to, or filled up to, a number of facts."""
    names = (
        "facts",
        "questions",
        "accuracy (95 %)",
        "answers correct",
        "false refusal",
        "refusal recall",
        "top-1 kblam / dense",
        "`rag`: accuracy (95 %)",
    )
    lines = []
    for size in SIZES:
        report, dense, rag = (load(f"size-{size}-{mode}") for mode in ("kblam", "dense", "rag"))
        if report:
            top = f"{percent(report['retrieval']['top1'])} / {percent(dense['retrieval']['top1']) if dense else '–'}"
            beside = f"{quality(rag)[0]}, {rag['n_questions']} questions" if rag else "–"
            lines.append(row(f"{size:,}", str(report["n_questions"]), *quality(report), top, beside))
    title = "By size of the table (unseen tables, their questions and the harder wordings below):"
    chart = ["", "![Accuracy, refusal and time by the size of the table](assets/results/sizes.svg)"] * (RESULTS / "sizes.svg").exists()
    return "\n".join([title, "", *head(*names), *lines, *chart]) if lines else ""


def harder() -> str:
    """Two facts, follow-ups, careless spelling."""
    report = load("extra-kblam")
    if not report:
        return ""
    lines = [
        row(
            HARDER.get(name, name),
            str(one["n"]),
            f"{percent(one['accuracy'])} ({100 * one['interval'][0]:.0f}–{100 * one['interval'][1]:.0f})",
        )
        for name, one in report["kinds"].items()
    ]
    return "\n".join(["Harder wordings on the unseen tables:", "", *head("kind", "questions", "right (95 %)"), *lines])


def speed() -> str:
    """`bench`: time by number of facts, beside retrieve-then-prompt."""
    report = load("bench")
    if not report:
        return ""
    names = ("facts", "first token ms", "tokens/s", "rag-plain first token ms", "rag-plain tokens/s", "one edit ms", "encoding s")
    lines = []
    for one in report["sizes"]:
        own, rag = one["kblam"], one.get("rag") or {"ttft_ms": None, "tokens_per_s": None}
        cells = (own["ttft_ms"], own["tokens_per_s"], rag["ttft_ms"], rag["tokens_per_s"], one["edit_ms"])
        lines.append(row(f"{one['facts']:,}", *map(number, cells), f"{one['encode_s']:.1f}"))
    return "\n".join(["Speed by number of facts, side by side in one run (`bench`):", "", *head(*names), *lines])


def quality(report: dict[str, Any]) -> tuple[str, str, str, str]:
    """Accuracy with its interval, correct answers, false refusals, refusal recall."""
    low, high = report["intervals"]["accuracy"]
    return (
        f"{percent(report['accuracy'])} ({100 * low:.0f}–{100 * high:.0f})",
        percent(report["answer"]["correct"]),
        percent(report["refusal"]["false_refusal"]),
        percent(report["refusal"]["recall"]),
    )


def kind(report: dict[str, Any], name: str) -> str:
    """Share of a kind of question that was handled right."""
    return percent(report["kinds"][name]["accuracy"]) if name in report["kinds"] else "–"


def load(name: str) -> dict[str, Any] | None:
    """A report, if it was made."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def head(*names: str) -> list[str]:
    return [row(*names), "|---" * len(names) + "|"]


if __name__ == "__main__":
    main()
