"""The guide tells the visitor's own answer: its numbers are there, nothing typed turns into markup."""

from __future__ import annotations

import pytest

from app.guide import guide_html, latest
from app.handlers import chat
from app.render import literal
from app.session import Session
from kblam_core import Triple

NASTY = "<img src=x onerror=alert(1)> ${1} {{x}} {value}"
DIRECTOR = "Who is the director of the Halden Workshop?"


def ask(session, host, question: str, mode: str = "kblam") -> str:
    chat.accept(session, {}, question)
    list(chat.stream(session, host, mode, 0.3))
    return latest(session)


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_it_holds_the_numbers_and_shapes_of_the_answer(session, host, model, lang):
    session.lang = lang
    guide = ask(session, host, DIRECTOR)
    turn = session.turns[-1]
    assert guide.count("<h2>") == 6 and guide.count("<svg") == 2
    assert "<b>64</b>" in guide and "3 × 3 × 3 × 16" in guide and "3, 9, 15" in guide
    mean = turn.answer.trace.shares()[len(turn.answer.trace.question_tokens) :].mean(0)
    for share in (1 - mean[-1], mean[0], turn.answer.confidence, turn.answer.trace.prior[0]):
        assert f"<b>{share:.0%}".replace("%", "&#37;") in guide or f'"kb-number">{share:.0%}'.replace("%", "&#37;") in guide
    assert literal("Ingrid Solvang") in guide and "{" not in guide


def test_what_is_typed_stays_text(session, host):
    session.draft.edit({session.draft.rows[0].id: ["Halden Workshop", "director", NASTY]})
    guide = ask(session, host, f"{DIRECTOR} {NASTY}")
    assert "<img" not in guide and "${" not in guide and "{{" not in guide
    assert guide.count(literal(NASTY)) >= 3  # question, value, answer


def test_a_refusal_and_a_switched_off_prior_are_told_as_such(session, host):
    assert "refusal" in ask(session, host, "How tall is the moon?")
    ask(session, host, DIRECTOR, "paper")
    turn = session.turns[-1]
    object.__setattr__(turn.answer.trace, "prior", None)
    turn.vectors = None  # as on ZeroGPU
    guide = guide_html(turn, "en")
    assert "without the question prior" in guide and "copy gate" not in guide and "<svg" not in guide


def test_a_large_table_goes_through_the_shortlist(session, host):
    session.draft.replace([("Halden Workshop", "director", "Ingrid Solvang")] + [(f"House {n}", "price", str(n)) for n in range(1_200)])
    guide = ask(session, host, DIRECTOR)
    assert "<b>256</b> most promising of the <b>1,201</b>" in guide


def test_an_answer_without_attention_leaves_the_guide_on_the_one_before(session, host):
    assert latest(Session()) == ""
    ask(session, host, DIRECTOR)
    session.draft.replace([])
    guide = ask(session, host, "Anything at all?")
    assert session.turns[-1].state == "empty_table" and literal(DIRECTOR) in guide


def test_a_fact_is_one_key_and_one_value():
    assert Triple("a", "b", "c").key_text == "the b of a"  # as the guide says
