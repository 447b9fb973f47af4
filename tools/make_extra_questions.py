"""Write assets/evaluation/NAME.extra.jsonl: harder forms of what the suite asks, made from its tables and hand-written questions.

    PYTHONPATH=. python tools/make_extra_questions.py

Two facts in one question, follow-ups with the turn before them, and the suite's own questions in lower case, with a typo, or without the
question mark. The draw is seeded: the same tables give the same files.
"""

import json
import random
import re
from pathlib import Path

from kblam_core.evaluation.metrics import normalise
from kblam_core.evaluation.questions import Question, read_questions
from kblam_core.evaluation.runner import find_suite
from kblam_core.triples import Triple, read_table

FOLDER = Path(__file__).parent.parent / "assets" / "evaluation"
JOINED, SAME_ENTITY, TWO_ENTITIES = 6, 3, 3
FOLLOW_UPS, MISSING, OTHER_ENTITY = 8, 4, 4
VARIANTS = 8  # of each, a quarter of them unanswerable

_SAME = ("What are the {p} and the {q} of {a}?", "{a}: {p} and {q}?", "I need both the {p} and the {q} of {a}.")
_TWO = (
    "What is the {p} of {a} and the {q} of {b}?",
    "the {p} of {a}, and the {q} of {b}",
    "I'd like to know the {p} of {a} as well as the {q} of {b}.",
)
_JOINS = ("{one}, and {two}?", "{one}? And {two}?", "{one} and {two}")
_AND_ITS = ("And its {q}?", "and what about its {q}", "What is its {q}?", "and the {q}?", "How about the {q}?", "what's its {q}")
_AND_B = ("And {b}?", "What about {b}?", "how about {b}", "and for {b}?")
_OPENERS = frozenset("what which who whom whose when where why how is are was were do does did can in at on tell give show".split())


class Maker:
    """The extra questions of one table."""

    def __init__(self, name: str, triples: list[Triple], questions: list[Question]) -> None:
        self.draw = random.Random(f"extra {name}")
        self.triples = triples
        self.values = {(t.entity.casefold(), t.property.casefold()): t for t in triples}
        self.answerable = [q for q in questions if q.answerable]
        self.unanswerable = [q for q in questions if not q.answerable]

    def lines(self) -> list[dict]:
        """All kinds, without doubles."""
        made = [*self.two_facts(), *self.follow_ups(), *self.variants()]
        return list({(line["question"], str(line.get("history"))): line for line in made}.values())

    # ------------------------------------------------------------------- two facts
    def two_facts(self) -> list[dict]:
        made = []
        plain = [q for q in self.answerable if re.fullmatch(r"[^.?!]{5,75}[?]?", q.question) and q.question.isascii()]
        for number, (first, second) in enumerate(self._pairs(plain, JOINED, lambda q: q.answer)):
            one, two = first.question.rstrip("?"), second.question.rstrip("?")
            start, _, rest = two.partition(" ")
            two = f"{start.lower()} {rest}" if start.lower() in _OPENERS else two
            made.append(self._two(_JOINS[number % 3].format(one=one, two=two), self._fact(first), self._fact(second)))
        own = [
            (a, b) for a in self.triples for b in self.triples if a.entity == b.entity and a.property < b.property and a.value != b.value
        ]
        for number, (a, b) in enumerate(self._spread(own, SAME_ENTITY)):
            made.append(self._two(_SAME[number % 3].format(p=a.property, q=b.property, a=a.entity), a, b))
        for number, (a, b) in enumerate(self._pairs(self.triples, TWO_ENTITIES, lambda t: t.value)):
            made.append(self._two(_TWO[number % 3].format(p=a.property, q=b.property, a=a.entity, b=b.entity), a, b))
        return made

    def _pairs(self, items: list, count: int, value) -> list[tuple]:
        """Pairs about two entities with two values."""
        pairs = [(a, b) for a in items for b in items if a.entity != b.entity and value(a) != value(b)]
        return self._spread(pairs, count)

    def _spread(self, pairs: list[tuple], count: int) -> list[tuple]:
        """Some pairs, every member in one pair only."""
        chosen, used = [], set()
        for a, b in self.draw.sample(pairs, len(pairs)):
            if len(chosen) < count and not {a, b} & used:
                chosen.append((a, b))
                used |= {a, b}
        return chosen

    def _two(self, question: str, a: Triple, b: Triple) -> dict:
        entity = a.entity if a.entity == b.entity else [a.entity, b.entity]
        return _line(question, entity, [a.property, b.property], [a.value, b.value], "two_facts")

    # ------------------------------------------------------------------ follow-ups
    def follow_ups(self) -> list[dict]:
        made = []
        pairs = [
            (q, t)
            for q in self.answerable
            for t in self.triples
            if t.entity == self._fact(q).entity and t.property != self._fact(q).property and t.value != self._fact(q).value
        ]
        for number, (asked, then) in enumerate(self._spread(pairs, FOLLOW_UPS)):
            text = _and_its(number, then.property)
            made.append(_line(text, then.entity, then.property, then.value, "follow_up", self._turn(asked)))
        missing = [q for q in self.unanswerable if q.kind == "missing_property"]
        for number, absent in enumerate(missing[:MISSING]):
            held = next(t for t in self.triples if t.entity.casefold() == absent.keys[0][0])
            before = (f"What is the {held.property} of {held.entity}?", _sentence(held))
            text = _and_its(number, absent.property)
            made.append(_line(text, absent.entity, absent.property, None, "follow_up_missing", before))
        pairs = [
            (q, t)
            for q in self.answerable
            for t in self.triples
            if t.property == self._fact(q).property and t.entity != self._fact(q).entity and t.value != self._fact(q).value
        ]
        for number, (asked, then) in enumerate(self._spread(pairs, OTHER_ENTITY)):
            text = _AND_B[number % len(_AND_B)].format(b=then.entity)
            made.append(_line(text, then.entity, then.property, then.value, "follow_up_entity", self._turn(asked)))
        return made

    def _fact(self, question: Question) -> Triple:
        return self.values[question.keys[0]]

    def _turn(self, question: Question) -> tuple[str, str]:
        return question.question, _sentence(self._fact(question))

    # -------------------------------------------------------------------- variants
    def variants(self) -> list[dict]:
        made = []
        for kind, change in (("lower_case", str.lower), ("no_question_mark", _no_mark), ("typo", self._typo)):
            for questions, count in ((self.answerable, VARIANTS * 3 // 4), (self.unanswerable, VARIANTS // 4)):
                taken = 0
                for question in self.draw.sample(questions, len(questions)):
                    # A misspelt name that resembles a held one may be meant for it: no clear refusal.
                    if kind == "typo" and question.kind in ("near_miss", "missing_entity"):
                        continue
                    changed = change(question.question)
                    if taken < count and changed != question.question:
                        taken += 1
                        made.append(_line(changed, question.entity or None, question.property or None, question.answer, kind))
        return made

    def _typo(self, text: str) -> str:
        """One slip in one longer word: two letters swapped, one left out, or one doubled. Names of other facts are not hit upon."""
        known = set(normalise(" ".join(f"{t.entity} {t.property}" for t in self.triples)).split())
        words = list(re.finditer(r"[^\W\d_]{5,}", text))
        for match in self.draw.sample(words, len(words)):
            word, place = match.group(), self.draw.randrange(1, len(match.group()) - 2)
            slips = (
                word[:place] + word[place + 1] + word[place] + word[place + 2 :],
                word[:place] + word[place + 1 :],
                word[: place + 1] + word[place:],
            )
            slip = self.draw.choice(slips)
            if slip != word and normalise(slip) not in known:
                return text[: match.start()] + slip + text[match.end() :]
        return text


def _line(question: str, entity, property_, answer, kind: str, before: tuple[str, str] | None = None) -> dict:
    line = {"question": question, "entity": entity, "property": property_, "answer": answer, "kind": kind}
    return line | ({"history": [list(before)]} if before else {})


def _and_its(number: int, property_: str) -> str:
    """A follow-up about a property, with "are" for "moons" and "eggs in a nest"."""
    noun = re.split(" (?:in|of|from) ", property_)[0]
    text = _AND_ITS[number % len(_AND_ITS)].format(q=property_)
    plural = noun.endswith("s") and not noun.endswith(("ss", "us"))
    return text.replace("What is", "What are").replace("what's", "what are") if plural else text


def _sentence(triple: Triple) -> str:
    return f"The {triple.property} of {triple.entity} is {triple.value}."


def _no_mark(text: str) -> str:
    return text.replace("?", "").strip()


def main() -> None:
    """Write a file beside each table of the suite."""
    for table, asked in find_suite(FOLDER):
        lines = Maker(table.stem, read_table(table).triples, read_questions(asked)).lines()
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (FOLDER / f"{table.stem}.extra.jsonl").write_text(text, encoding="utf-8")
        print(f"{len(lines)} questions for {table.stem}")


if __name__ == "__main__":
    main()
