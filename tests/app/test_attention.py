"""The attention tab's handlers: every view of an answer comes from its kept trace."""

from __future__ import annotations

from app.handlers import attention, chat

PRICE = "What is the price of the Corvin Lathe?"


def ask(session, host, question: str):
    chat.accept(session, {}, question)
    list(chat.stream(session, host, "kblam", 0.2))
    return session.turns[-1]


def test_no_view_of_an_answer_asks_the_model(session, host, model):
    ask(session, host, PRICE)
    asked = len(model.asked)
    _, turn, value, *_, layers, heads, figure, _ = attention.latest(session, "answer", "all", "all", 10)
    assert turn.visible is False and value["facts"][0]["cells"][0] == "Corvin Lathe" and figure.data
    assert {key for _, key in layers.choices} == {"all", "3", "9", "15"}
    assert {key for _, key in heads.choices} == {"all", "0", "1", "2"}
    for layer in ("all", "3", "15"):
        for head in ("all", "2"):
            for rows in ("answer", "question"):
                figure, _ = attention.draw(session, 1, rows, layer, head, 5)
                assert figure.layout.title.text
    attention.pick_turn(session, 1, "question", "9", "2", 50)
    assert len(model.asked) == asked


def test_before_any_answer_the_tab_explains_itself(session):
    intro, _, value, *_, controls, _, _, _, _ = attention.latest(session, "answer", "all", "all", 10)
    assert "kb-note" in intro and value == {} and controls.visible is False


def test_an_answer_whose_map_is_gone_is_told(session):
    intro, value, *_ = attention.pick_turn(session, 4, "answer", "all", "all", 10)
    assert "No attention" in intro and value == {}


def test_with_two_answers_either_can_be_picked(session, host):
    ask(session, host, PRICE)
    ask(session, host, "Who is the director of Laurel House?")
    _, turn, value, *_ = attention.latest(session, "answer", "all", "all", 10)
    assert turn.visible and turn.value == 2 and value["facts"][0]["cells"][0] == "Laurel House"
    _, value, *_ = attention.pick_turn(session, 1, "answer", "all", "all", 10)
    assert value["turn"] == 1 and value["facts"][0]["cells"][0] == "Corvin Lathe"


def test_the_map_says_the_tables_share_and_what_attention_does_not_show(session, host):
    ask(session, host, PRICE)
    *_, note = attention.latest(session, "answer", "all", "all", 10)
    assert "&#37;" in note and "arxiv.org/abs/1902.10186" in note
