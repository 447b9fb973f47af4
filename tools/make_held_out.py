"""Write the evaluation tables with held-out entities and the training's wordings: assets/evaluation_held_out/.

    PYTHONPATH=. python tools/make_held_out.py

Entities whose name falls into one tenth by checksum never enter training (generator.is_held_out); their facts and questions are drawn here
with seeds of their own.
"""

import json
from pathlib import Path

from kblam_core.training.generator import Generator, Row
from kblam_core.triples import Triple, write_table

FOLDER = Path(__file__).parent.parent / "assets" / "evaluation_held_out"
SIZES = {"facts_0100_a": 100, "facts_0100_b": 100, "facts_0100_c": 100, "facts_1000": 1000}
QUESTIONS = {"answerable": 60, "missing_entity": 12, "near_miss": 12, "missing_property": 12, "unrelated": 4}


def main() -> None:
    """Draw each table and its questions."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed, (name, size) in enumerate(SIZES.items(), start=90_001):
        generator = Generator(seed, held_out=True)
        rows: dict[tuple[str, str], Row] = {}
        while len(rows) < size:
            for row in generator.table(size // 3):
                rows.setdefault((row.triple.entity.casefold(), row.triple.property.casefold()), row)
        table = list(rows.values())[:size]
        lines, asked = [], set()
        for kind, count in QUESTIONS.items():
            while count:
                drawn = getattr(generator, f"_{kind}")(table)
                # A sample that took a fact out of the table is of no use here: the table is one for all questions.
                if drawn is None or len(drawn[1]) != len(table) or drawn[0] in asked:
                    continue
                question, _, gold, (_, entity, property_) = drawn
                triple: Triple | None = table[gold[0]].triple if gold else None
                asked.add(question)
                count -= 1
                line = {"question": question, "entity": entity or None, "property": property_ or None}
                lines.append(line | {"answer": triple.value if triple else None, "kind": kind})
        write_table([row.triple for row in table], FOLDER / f"{name}.csv")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (FOLDER / f"{name}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
