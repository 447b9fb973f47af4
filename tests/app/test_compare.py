"""Comparing: five answers that come one by one, judged by the value of the fact that KBLaM cites."""

from __future__ import annotations

import html

import gradio as gr
import pytest

from app.comparison import SYSTEMS
from app.handlers import chat, compare
from app.host import ModelHost
from kblam_core import MissingWeightsError
from tests.app.fakes import FakeKblam

QUESTION = "Who is the director of the Halden Workshop?"


def compared(session, host, question: str | None = QUESTION, sent: object = None) -> list[str]:
    return [html.unescape(shown) for shown, *_ in compare.stream(session, host, sent, question, 0.3)]


def test_five_answers_come_one_by_one_and_are_judged(session, host, model):
    pages = compared(session, host)
    comparison = session.comparison
    assert [outcome.system for outcome in comparison.outcomes] == list(SYSTEMS) and comparison.state == "done"
    counts = [page.count("first token after") for page in pages]
    assert counts == sorted(counts) and set(counts) == {0, 1, 2, 3, 4, 5}
    assert comparison.right_fact().value == "Ingrid Solvang"
    assert [comparison.is_right(outcome) for outcome in comparison.outcomes] == [True, True, True, True, False]
    assert comparison.outcomes[-1].refused and "says that it does not know" in pages[-1]
    assert [options.mode for _, _, options in model.asked] == ["kblam", "paper"] and model.asked[0][2].threshold == 0.3


def test_without_a_cited_fact_nothing_is_judged(session, host):
    pages = compared(session, host, "How tall is the moon?")
    assert {session.comparison.is_right(outcome) for outcome in session.comparison.outcomes} == {None}
    assert "cites no fact" in pages[-1]


def test_an_empty_box_takes_the_last_question_and_typed_cells_count(session, host):
    assert "Type a question" in compared(session, host, " ")[-1]
    chat.accept(session, None, QUESTION)
    list(chat.stream(session, host, "kblam", 0.5))
    row = session.draft.rows[0]
    nasty = "<b>x</b> ${1} {{x}}"
    sent = {"edits": {str(row.id): [1, ["Halden Workshop", "director", nasty]]}}
    (*_, last) = (shown for shown, *_ in compare.stream(session, host, sent, "", 0.3))
    assert nasty in html.unescape(last) and "<b>x" not in last and "${" not in last and "{{" not in last


def test_an_empty_table_and_one_too_large_for_the_prompt_are_said_in_words(session, host):
    session.draft.replace([])
    assert compared(session, host)[-1].count("The table is empty") >= 2
    session.draft.replace([(f"entity {number}", "property", f"value {number}") for number in range(600)])
    page = compared(session, host, "What is the property of entity 7?")[-1]
    assert "does not fit into the prompt" in page and session.comparison.outcomes[2].text


def test_stopping_keeps_what_is_there(session):
    host = ModelHost(lambda: FakeKblam(delay=0.01))
    for _ in compare.stream(session, host, None, QUESTION, 0.3):
        if len(session.comparison.outcomes) == 2:
            compare.stop(session)
    assert len(session.comparison.outcomes) == 2 and session.comparison.state == "stopped"


def test_a_model_that_fails_is_one_sentence(session):
    def load():
        raise MissingWeightsError("The weights are not here.")

    assert "The weights are not here." in compared(session, ModelHost(load))[-1]
    broken = ModelHost(lambda: FakeKblam(error=RuntimeError("secret")))
    page = compared(session, broken)[-1]
    assert "Something went wrong" in page and "secret" not in page


def test_the_visitor_says_which_fact_is_right_and_no_system_is_asked_again(session, host, model):
    compared(session, host)
    asked, comparison = len(model.asked), session.comparison
    page = html.unescape(compare.judge(session, 1))
    assert comparison.right_fact().value == "Tomasz Wilk" and "Judged by Laurel House · director: Tomasz Wilk." in page
    assert [comparison.is_right(outcome) for outcome in comparison.outcomes[:2]] == [False, False]
    page = html.unescape(compare.judge(session, "none"))
    assert [comparison.is_right(outcome) for outcome in comparison.outcomes] == [False, False, False, False, True]
    assert page.count("should have refused") == 4 and page.count("rightly says") == 1
    page = html.unescape(compare.judge(session, "cited"))
    assert "Ingrid Solvang, the fact that KBLaM cites" in page and len(model.asked) == asked


@pytest.mark.parametrize("sent", [99, -1, True, None, "x", [], 1.5])
def test_what_is_no_fact_leaves_the_cited_one_right(session, host, sent):
    assert compare.judge(session, sent) == gr.skip()
    compared(session, host)
    compare.judge(session, sent)
    assert session.comparison.judge == "cited"


def test_the_nearest_facts_are_offered_first_and_a_long_list_is_cut_in_words(session, host):
    session.draft.replace([(f"entity {number}", "property", f"value {number}") for number in range(600)])
    page = compared(session, host, "What is the property of entity 583?")[-1]
    choices = session.comparison.choices("en")
    assert [value for _, value in choices[:2]] == ["cited", "none"] and "value 583" in choices[2][0]
    assert len(choices) == 502 and "500 of the 600" in page
