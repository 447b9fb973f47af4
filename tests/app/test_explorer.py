"""What the explorer is given: every token's shares, the facts used, and where their values stand in the answer."""

from __future__ import annotations

import json

import pytest

from app.explorer import explorer_value, value_tokens
from app.handlers import chat
from app.session import Session

DIRECTOR = "Who is the director of the Halden Workshop?"


def ask(session: Session, host, question: str):
    chat.accept(session, {}, question)
    list(chat.stream(session, host, "kblam", 0.2))
    return session.turns[-1]


def test_every_token_has_a_share_for_each_fact_the_others_and_the_text(session, host):
    turn = ask(session, host, DIRECTOR)
    value = explorer_value(1, turn, "en")
    assert len(value["shares"]) == len(value["question"]) + len(value["answer"])
    for row in [*value["shares"], value["all"]]:
        assert len(row) == len(value["facts"]) + 2
        assert sum(row) == pytest.approx(10_000, abs=40)
    json.dumps(value)


def test_the_used_fact_knows_where_its_value_stands(session, host):
    value = explorer_value(1, ask(session, host, DIRECTOR), "en")
    fact = next(fact for fact in value["facts"] if fact["used"])
    assert [value["answer"][place].strip() for place in fact["said"]] == ["Ingrid", "Solvang."]
    assert [fact["said"] for fact in value["facts"] if not fact["used"]] == [[], []]


@pytest.mark.parametrize(
    ("tokens", "value", "places"),
    [
        ([" ", "2", ",", "4", "80", " euros", "."], "2,480 Euros", [1, 2, 3, 4, 5]),
        (["in", " (", "a", "+b)", "!"], "(a+b)", [1, 2, 3]),
        ([" Ana", " and", " Ana"], "ana", [0, 2]),
        (["no", "thing"], "else", []),
        (["x"], "  ", []),
    ],
)
def test_values_are_found_in_the_answers_tokens(tokens, value, places):
    assert value_tokens(tokens, value) == places


def test_a_refusal_shows_what_was_looked_at(session, host):
    value = explorer_value(1, ask(session, host, "How old is the moon?"), "en")
    assert not any(fact["used"] for fact in value["facts"])
    assert value["labels"]["facts"].startswith("No fact was used")
