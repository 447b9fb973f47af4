"""Questions for two facts are ranked part by part; an "and" inside a name stays where it is."""

from __future__ import annotations

import pytest

from kblam_core import Kblam, Triple
from kblam_core.answer import AskOptions

TABLE = [
    Triple("Halden Workshop", "head", "Ingrid Solvang"),
    Triple("Halden Workshop", "founding year", "1871"),
    Triple("Port of Aldermoor", "harbour master", "Tomas Breck"),
    Triple("Port of Aldermoor", "depth", "11 m"),
    Triple("Salt and Ember", "chef", "Noor Haddad"),
    Triple("Salt and Ember", "phone number", "+44 20 5550 1882"),
]


@pytest.fixture(scope="module")
def kblam() -> Kblam:
    return Kblam.load()


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is the head of the Halden Workshop and what is the depth of the Port of Aldermoor?", {0, 3}),
        ("What are the head and the founding year of the Halden Workshop?", {0, 1}),
        ("Who is the harbour master of the Port of Aldermoor, and what is its depth?", {2, 3}),
        ("Who is the chef of Salt and Ember?", {4}),
    ],
)
def test_both_facts_come_out_on_top(kblam, question, expected):
    rows, logits = kblam.rank(kblam.knowledge_base(TABLE), question, options=AskOptions())
    assert set(rows[logits > 0].tolist()) == expected


def test_both_values_stand_in_the_answer(kblam):
    answer = kblam.ask(
        kblam.knowledge_base(TABLE), "Who is the head of the Halden Workshop and what is the depth of the Port of Aldermoor?"
    )
    assert "Ingrid Solvang" in answer.text
    assert "11 m" in answer.text
    assert len(answer.sources) == 2
