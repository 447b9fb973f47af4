"""Drop from an evaluation suite every question that the training material could hold: its wording with its entity, an unrelated
message, or the fact that answers it. The suites were written without looking at the training material, so a few of the world's facts
("Who directed Parasite?") stood in both.

    PYTHONPATH=. python tools/drop_seen_questions.py assets/evaluation_fresh
"""

import json
import sys
from pathlib import Path

from kblam_core.training.seen import plain, seen_facts, seen_questions


def main(folder: Path) -> None:
    """Rewrite the .jsonl files of `folder` without the questions that were seen; say how many went."""
    paths = sorted(folder.glob("*.jsonl"))
    asked = {path: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths}
    everything = [one for rows in asked.values() for one in rows]
    gone = {question for _, question in seen_questions(everything)}
    facts = {(one["entity"], one["property"], one["answer"]) for one in everything if one["answer"] is not None}
    known = seen_facts(facts)
    for path, rows in asked.items():
        kept = [one for one in rows if plain(one["question"]) not in gone and (one["entity"], one["property"], one["answer"]) not in known]
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept), encoding="utf-8")
        print(f"{path.stem}: {len(rows) - len(kept)} of {len(rows)} dropped")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        main(Path(name))
