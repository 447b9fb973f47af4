"""Answers recorded earlier with the shipped adapter, so that the page shows a full picture before any model has loaded.

`python -m tools.record_examples` makes the files anew, after retraining for instance. Reading them loads no model.
"""

from __future__ import annotations

import json
import logging
import zipfile
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np

from app.session import Turn
from app.texts import say
from kblam_core import Answer, AskOptions, ModelShape, Source, Timing, Trace, Triple

log = logging.getLogger("app")
FOLDER = Path(__file__).resolve().parent.parent / "assets" / "recorded"
QUESTIONS = {  # file name -> question, all on the sample table SAMPLE
    "answer": "Who runs the Halden Workshop?",
    "refusal": "Who is the director of Linden House?",
}
SAMPLE = "workshop"


def write(path: Path, turn: Turn) -> None:
    """Store an answered turn with its trace and the sentence vectors of the fact it tells about; times are left out."""
    answer, trace = turn.answer, turn.answer.trace
    about = {
        "question": turn.question,
        "facts": [[fact.entity, fact.property, fact.value] for fact in turn.facts],
        "options": asdict(turn.options),
        "shape": asdict(turn.shape),
        "answer": {
            "text": answer.text,
            "state": answer.state,
            "kb_mass": answer.kb_mass,
            "confidence": answer.confidence,
            "tokens": answer.timing.tokens,
            "sources": [[source.index, source.weight] for source in answer.sources],
            "nearest": [[source.index, source.weight] for source in answer.nearest],
        },
        "trace": {key: value for key, value in vars(trace).items() if key != "weights"},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, about=np.array(json.dumps(about)), weights=trace.weights, vectors=turn.vectors.astype(np.float16))


def read(path: Path) -> Turn:
    """The turn that `write` stored. Raises OSError, KeyError, TypeError, ValueError or BadZipFile when the file is not one of ours."""
    with np.load(path, allow_pickle=False) as parts:
        about, weights, vectors = json.loads(parts["about"].item()), parts["weights"], parts["vectors"].astype(np.float32)
    facts = [Triple(*cells) for cells in about["facts"]]
    told = about["answer"]

    def sources(key: str) -> list[Source]:
        return [Source(index, facts[index].entity, facts[index].property, facts[index].value, weight) for index, weight in told[key]]

    answer = Answer(
        text=told["text"],
        refused=told["state"] == "refused",
        state=told["state"],
        kb_mass=told["kb_mass"],
        confidence=told["confidence"],
        sources=sources("sources"),
        nearest=sources("nearest"),
        timing=Timing(0.0, 0.0, told["tokens"]),
        trace=Trace(**about["trace"], weights=weights),
    )
    return Turn(
        about["question"],
        state=answer.state,
        text=answer.text,
        answer=answer,
        facts=facts,
        options=AskOptions(**about["options"]),
        shape=ModelShape(**about["shape"]),
        vectors=vectors,
        recorded=True,
    )


def example_note(lang: str, key: str) -> str:
    """The text `key`, which names the table that the examples were recorded on."""
    return say(lang, key, sample=say(lang, f"sample_{SAMPLE}"))


@cache
def examples() -> tuple[Turn, ...]:
    """The recorded turns, shared by all visitors and never changed; none when a file is missing or cannot be read."""
    try:
        return tuple(read(FOLDER / f"{name}.npz") for name in QUESTIONS)
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        log.warning("The recorded examples cannot be shown (%s); make them anew with `python -m tools.record_examples`.", error)
        return ()
