"""Make kblam_core/data/common_words.txt and kblam_core/training/glosses.json from WordNet (Debian package wordnet-base).

    python tools/make_word_lists.py /usr/share/wordnet

The word list, most frequent first, tells how rare a word of a question is; the glosses are long values for training.
"""

import json
import random
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent / "kblam_core"


def main(wordnet: Path) -> None:
    """Read the four data files of WordNet and write both lists."""
    counts: Counter[str] = Counter()
    glosses: list[tuple[str, str]] = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (wordnet / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  ") or " | " not in line:
                continue
            head, gloss = line.split(" | ", 1)
            counts.update(re.findall(r"[a-z]+", gloss.lower()))
            word = head.split()[4].replace("_", " ")
            definition = gloss.split(";")[0].strip()
            if part == "noun" and word.isascii() and word.islower() and 25 < len(definition) < 220:
                glosses.append((word, definition))
    # Questions use words that glosses do not: put the question words first.
    asking = "what who whom whose when where which why how is are was were do does did can could would please tell me i you it its".split()
    words = asking + [word for word, _ in counts.most_common(9000) if word not in asking and len(word) > 1]
    (ROOT / "data" / "common_words.txt").write_text("\n".join(words[:8000]) + "\n", encoding="utf-8")
    random.Random(0).shuffle(glosses)
    kept = dict(glosses[:2500])
    (ROOT / "training" / "glosses.json").write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
