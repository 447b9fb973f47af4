"""The attention tab's handlers: every view of an answer comes from its kept trace."""

from __future__ import annotations

import numpy as np
import pytest

from app.handlers import attention, chat
from app.overview import contributions, overview_value, strongest
from app.pages.choice import Choice
from app.render import percent

PRICE = "What is the price of the Corvin Lathe?"


def ask(session, host, question: str):
    chat.accept(session, {}, question)
    list(chat.stream(session, host, "kblam", 0.2))
    return session.turns[-1]


def test_no_view_of_an_answer_asks_the_model(session, host, model):
    ask(session, host, PRICE)
    asked = len(model.asked)
    turn, _, value, *_, layers, heads, figure, _, _ = attention.latest(session, "answer", "all", "all", 10)
    assert turn.visible is False and value["facts"][0]["cells"][0] == "Corvin Lathe" and figure.data
    assert {key for _, key in layers.choices} == {"all", "3", "9", "15"}
    assert {key for _, key in heads.choices} == {"all", "0", "1", "2"}
    for layer in ("all", "3", "15"):
        for head in ("all", "2"):
            for rows in ("answer", "question"):
                _, _, figure, _, _ = attention.draw(session, 1, rows, layer, head, 5)
                assert figure.layout.title.text
    attention.pick_turn(session, 1, "question", "9", "2", 50)
    assert len(model.asked) == asked


def test_before_any_answer_the_tab_explains_itself(session):
    _, intro, value, _, _, _, controls, *_ = attention.latest(session, "answer", "all", "all", 10)
    assert "kb-note" in intro and value == {} and controls.visible is False


def test_an_answer_whose_map_is_gone_is_told(session):
    intro, value, *_ = attention.pick_turn(session, 4, "answer", "all", "all", 10)
    assert "No attention" in intro and value == {}


def test_with_two_answers_either_can_be_picked(session, host):
    ask(session, host, PRICE)
    ask(session, host, "Who is the director of Laurel House?")
    turn, _, value, *_ = attention.latest(session, "answer", "all", "all", 10)
    assert turn.visible and turn.value == 2 and value["facts"][0]["cells"][0] == "Laurel House"
    _, value, *_ = attention.pick_turn(session, 1, "answer", "all", "all", 10)
    assert value["turn"] == 1 and value["facts"][0]["cells"][0] == "Corvin Lathe"


def test_the_map_says_the_tables_share_and_what_attention_does_not_show(session, host):
    ask(session, host, PRICE)
    *_, note, _ = attention.latest(session, "answer", "all", "all", 10)
    assert "&#37;" in note and "arxiv.org/abs/1902.10186" in note


def test_the_strongest_head_is_shown_first_until_the_visitor_chooses(session, host):
    turn = ask(session, host, PRICE)
    layers, heads, figure, _, overview = attention.latest(session, "answer", "all", "all", 10)[-5:]
    assert (layers.value, heads.value) == strongest(turn) == tuple(overview["chosen"])
    shares = contributions(turn)
    assert shares[turn.answer.trace.layers.index(int(layers.value)), int(heads.value)] == shares.max()
    assert heads.choices[0][1] == "all" and heads.choices[1][1] == heads.value
    assert f"layer {layers.value}, head {heads.value}" in figure.layout.title.text.replace("<br>", " ")
    attention.choose(session, 1, "answer", "9", "all", 10)
    ask(session, host, "Who is the director of Laurel House?")
    layers, heads, *_ = attention.latest(session, "answer", "9", "all", 10)[-5:]
    assert (layers.value, heads.value) == ("9", "all")


def test_a_cell_of_the_overview_opens_its_layer_and_head(session, host):
    ask(session, host, PRICE)
    click = type("Click", (), {"_data": {"layer": "15", "head": "2"}})()
    layers, heads, figure, _, overview = attention.open_cell(session, click, 1, "question", "all", "all", 10)
    assert (layers.value, heads.value, overview["chosen"]) == ("15", "2", ["15", "2"])
    assert "layer 15, head 2" in figure.layout.title.text.replace("<br>", " ")


def test_the_overview_has_a_share_for_every_layer_and_head(session, host):
    turn = ask(session, host, PRICE)
    value = overview_value(turn, "all", "all", "en")
    table, cited = (np.array(panel["shares"]) for panel in value["panels"])
    assert table.shape == cited.shape == (3, 3) and (table >= cited).all()
    refused = ask(session, host, "How old is the moon?")
    assert len(overview_value(refused, "all", "all", "en")["panels"]) == 1


def test_numbers_have_a_named_scale_and_one_colour_range_for_all_heads(session, host):
    turn = ask(session, host, PRICE)
    tops = {}
    for scale, words in (("raw", "share of all attention"), ("table", "share within the table"), ("row", "each fact's largest")):
        for layer, head in (("all", "all"), ("3", "1"), ("15", "2")):
            *_, figure, note, _ = attention.draw(session, 1, "answer", layer, head, 10, scale, True)
            cells, title = figure.data[1], figure.layout.title.text.replace("<br>", " ")
            assert words in title and cells.colorbar.title.text in title
            assert np.max(cells.z) <= cells.zmax
            tops.setdefault(scale, set()).add(cells.zmax)
    assert all(len(top) == 1 for top in tops.values())
    *_, figure, note, _ = attention.draw(session, 1, "answer", "3", "1", 10, "raw", False)
    assert figure.data[1].zmax <= min(tops["raw"])
    mass = float(np.mean(turn.answer.trace.heatmap(layer=3, head=1).kb_mass))
    assert percent(mass) in note  # the table's share is said whatever the scale


def test_an_unknown_scale_is_drawn_as_shares_of_all(session, host):
    ask(session, host, PRICE)
    *_, figure, _, _ = attention.draw(session, 1, "answer", "all", "all", 10, "log", True)
    assert "share of all attention" in figure.layout.title.text.replace("<br>", " ")


def test_titles_are_in_the_visitors_language(session, host):
    ask(session, host, PRICE)
    session.lang = "ru"
    *_, figure, _, _ = attention.draw(session, 1, "question", "3", "all", 10)
    assert "слой 3, среднее по всем головам" in figure.layout.title.text.replace("<br>", " ")


@pytest.mark.parametrize("stale", ["7", "no such", None, 99, ["2"]])
def test_a_choice_of_a_moment_ago_is_no_error(session, host, stale):
    """While a new answer brings other heads, an event with the old one may be on its way."""
    assert Choice(choices=["all", "0"]).preprocess(stale) == stale
    ask(session, host, PRICE)
    layer, head, *_ = attention.draw(session, 1, "answer", stale, stale, 5)
    assert (layer.value, head.value) == ("all", "all")
    attention.pick_turn(session, stale, "answer", "all", "all", 5)
