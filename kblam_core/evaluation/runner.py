"""Ask every question of a table in one mode and judge the answers: `run` returns the report the command writes as JSON."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kblam_core.answer import MODES as KB_MODES
from kblam_core.answer import AskOptions
from kblam_core.errors import InputError, KblamError
from kblam_core.evaluation.baselines import BASELINES, Ask, History, Reply
from kblam_core.evaluation.metrics import is_correct, is_exact, is_exact_all, token_f1
from kblam_core.evaluation.questions import Question, askable
from kblam_core.evaluation.summary import summarise
from kblam_core.triples import Triple, clean_rows

MODES = (*KB_MODES, *BASELINES)
MAIN = "main"  # the suite's own questions, NAME.questions.jsonl or NAME.jsonl
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Case:
    """One table with its questions. knowledge_base: an already encoded one, or None to encode when it is needed."""

    name: str
    triples: Sequence[Triple]
    questions: Sequence[Question]
    knowledge_base: Any = None


def run(
    kblam: Any,
    cases: Sequence[Case],
    *,
    mode: str = "kblam",
    options: AskOptions | None = None,
    limit: int | None = None,
    seed: int = 0,
    size: int | None = None,
    progress: Progress | None = None,
    about: dict[str, object] | None = None,
) -> dict[str, object]:
    """Evaluate every case on its own table and pool the questions.

    options: AskOptions for the KB modes (its mode is replaced by `mode`). limit: at most so many questions over all cases, drawn
    with `seed`. size: the number of facts that every case was brought to (sizes.py), where it was. about: further facts for the head of
    the report (backbone, encoder, ...). Raises KblamError.
    """
    check_mode(mode)
    drawn, notes = _draw(cases, limit, seed)
    total = sum(len(case.questions) for case in drawn)
    if not total:
        raise InputError("No question is left to ask. " + (notes[0] if notes else "Check --questions and --limit."))
    rows: list[dict[str, object]] = []
    skipped: list[str] = []
    for case in drawn:
        try:
            ask = _asker(kblam, case, mode, options)
        except KblamError as error:
            if len(drawn) == 1:
                raise
            skipped.append(f"{case.name} is left out. {error}")
            continue
        places = {(triple.entity.casefold(), triple.property.casefold()): i for i, triple in enumerate(case.triples)}
        for question in case.questions:
            targets = [places.get(key) for key in question.keys]
            rows.append(_row(case.name, question, ask(question.question, question.history), targets, case.triples))
            if progress:
                progress(len(rows), total)
    if not rows:
        raise InputError(skipped[0])
    names = {row["table"] for row in rows}
    used = [case for case in drawn if case.name in names]
    tables = {case.name: case for case in used}  # parts of one table, and its sets of questions, count as one
    report = {"mode": mode, **(about or {}), "seed": seed, "limit": limit, "size": size}
    report |= {
        "n_triples": size or sum(len(case.triples) for case in tables.values()),
        "n_questions": len(rows),
        **summarise(rows, mode),
    }
    if len(tables) > 1:
        report["tables"] = [_table(case, [row for row in rows if row["table"] == case.name], mode) for case in tables.values()]
    return report | {"notes": notes + skipped, "rows": rows}


def check_mode(mode: str) -> None:
    """Raises InputError for an unknown mode."""
    if mode not in MODES:
        raise InputError(f"There is no mode {mode!r}. Choose one of {', '.join(MODES)}.")


def pool(cases: Sequence[Case]) -> Case:
    """All tables as one knowledge base, with all questions; of facts given twice the last wins."""
    rows = [(triple.entity, triple.property, triple.value) for case in cases for triple in case.triples]
    triples = clean_rows(rows, max_rows=len(rows)).triples
    return Case("all tables", triples, [question for case in cases for question in case.questions])


def find_suite(folder: str | Path, *, sets: Sequence[str] = (MAIN,)) -> list[tuple[Path, Path]]:
    """(table, questions) for each NAME.csv (.tsv, .json) beside NAME.questions.jsonl or NAME.jsonl. Raises InputError.

    sets: "main" for these questions, any other SET for NAME.SET.jsonl; several sets make several pairs of each table.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"--suite needs a folder, and {folder} is none. It holds NAME.csv beside NAME.questions.jsonl.")
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".json"))
    pairs = []
    for name in sets:
        endings = (".questions.jsonl", ".jsonl") if name == MAIN else (f".{name}.jsonl",)
        asked = [(table, table.with_name(table.stem + ending)) for table in tables for ending in endings]
        found = {table: questions for table, questions in reversed(asked) if questions.is_file()}
        if not found:
            raise InputError(f"{folder} holds no table with questions. Put NAME{endings[0]} beside each NAME.csv.")
        pairs += [(table, found[table]) for table in tables if table in found]
    return pairs


def _draw(cases: Sequence[Case], limit: int | None, seed: int) -> tuple[list[Case], list[str]]:
    notes: list[str] = []
    kept: list[list[Question]] = []
    for case in cases:
        questions, remarks = askable(case.questions, case.triples)
        kept.append(questions)
        notes += [f"{case.name}: {remark}" for remark in remarks]
    places = [(i, j) for i, questions in enumerate(kept) for j in range(len(questions))]
    if limit is not None and limit < len(places):
        places = sorted(random.Random(seed).sample(places, limit))
    drawn = [[kept[i][j] for k, j in places if k == i] for i in range(len(cases))]
    return [
        Case(case.name, case.triples, questions, case.knowledge_base) for case, questions in zip(cases, drawn, strict=True) if questions
    ], notes


def _asker(kblam: Any, case: Case, mode: str, options: AskOptions | None) -> Ask:
    if not case.triples:
        raise InputError(f"{case.name} holds no usable fact. Add rows with entity, property and value.")
    if mode in BASELINES:
        return BASELINES[mode](kblam, case.triples)
    chosen = replace(options or AskOptions(), mode=mode)
    base = case.knowledge_base if case.knowledge_base is not None else kblam.knowledge_base(case.triples)

    def ask(question: str, history: History = ()) -> Reply:
        answer = kblam.ask(base, question, history=history, options=chosen)
        ranked = list(dict.fromkeys(source.index for source in [*answer.sources, *answer.nearest]))
        timing = answer.timing
        speed = {"ttft_ms": timing.ttft_ms, "total_ms": timing.total_ms, "tokens": timing.tokens}
        declined = answer.state != "answered"  # a greeting returned, say: nothing is claimed from the table
        return Reply(answer.text, declined, ranked, **speed, confidence=answer.confidence, kb_mass=answer.kb_mass)

    return ask


def _row(table: str, question: Question, reply: Reply, targets: list[int | None], triples: Sequence[Triple]) -> dict[str, object]:
    golds, told = question.golds, {"refused": reply.refused}
    row: dict[str, object] = {"table": table, "kind": question.kind, "question": question.question}
    if question.history:
        row["history"] = question.history
    row |= {"entity": question.entity, "property": question.property, "gold": question.answer}
    row |= {"answer": reply.text, "refused": reply.refused}
    if not golds:
        row |= {"right": reply.refused, "correct": None, "exact": None, "f1": None, "rank": None}
    else:
        correct = all(is_correct(reply.text, gold, **told) for gold in golds)
        names = [f"{property_} of {entity}" for entity, property_ in question.keys]
        exact = is_exact(reply.text, golds[0], **told) if len(golds) == 1 else is_exact_all(reply.text, golds, names, **told)
        row |= {"right": correct, "correct": correct, "exact": exact}
        row |= {"f1": round(token_f1(reply.text, " ".join(golds), **told), 4), "rank": _rank(reply.ranked, targets)}
    row["retrieved"] = bool(reply.ranked)
    row["facts"] = [[triples[i].entity, triples[i].property] for i in reply.ranked[:5]]
    for name in ("similarity", "confidence", "kb_mass"):
        value = getattr(reply, name)
        row[name] = None if value is None else round(float(value), 4)
    return row | {
        "ttft_ms": round(reply.ttft_ms, 2),
        "total_ms": round(reply.total_ms, 2),
        "tokens": reply.tokens,
    }


def _rank(ranked: list[int], targets: list[int | None]) -> int | None:
    """1 when the facts needed are the first ones retrieved, 2 when one other stands among them, ...; None when one is missing."""
    if not all(target in ranked for target in targets):
        return None
    return max(ranked.index(target) for target in targets) + 2 - len(set(targets))


def _table(case: Case, rows: list[dict[str, object]], mode: str) -> dict[str, object]:
    return {
        "name": case.name,
        "n_triples": len(case.triples),
        "n_questions": len(rows),
        **summarise(rows, mode),
    }
