"""The causal check: the question is asked again on a changed copy, and the pair is told in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from app.causal import comparison, make_change, verdict
from app.figures import difference_figure
from app.handlers import causal, chat
from kblam_core import InputError, Trace, Triple
from tests.app.conftest import ROWS

DIRECTOR = "Who is the director of the Halden Workshop?"


class Click:
    """What the explorer's buttons send."""

    def __init__(self, **data: object) -> None:
        self._data = data


@pytest.fixture
def turn(session, host):
    chat.accept(session, {}, DIRECTOR)
    list(chat.stream(session, host, "no-copy", 0.3))
    return session.turns[-1]


def again(session, host, **data) -> tuple:
    causal.accept(session, Click(**{"turn": 1, "row": 0, "value": "", **data}))
    return list(causal.answer(session, host))[-1]


def test_left_out_the_fact_is_gone_from_the_copy_and_kept_in_the_table(session, host, model, turn):
    before = [row.cells for row in session.draft.rows]
    text, box, _ = again(session, host, name="leave_out")
    assert "Ingrid Solvang" in text and "Tomasz Wilk" in text and "<mark>" in text
    assert [row.cells for row in session.draft.rows] == before and len(session.turns) == 1
    assert turn.facts == [Triple(*row) for row in ROWS]
    assert model.asked[-1] == model.asked[0]  # the same question, history and options
    assert box.visible


def test_a_changed_value_is_followed_and_marked(session, host, turn):
    text, *_ = again(session, host, name="what_if", value="  Priya <Raman> ")
    assert "follows the changed value" in text
    assert "<mark>Priya &#60;Raman&#62;</mark>" in text and "<Raman>" not in text


@pytest.mark.parametrize(("value", "words"), [("  ", "Type the other value"), ("Ingrid Solvang", "already"), ("x" * 3000, "longer")])
def test_a_value_that_changes_nothing_or_fits_no_cell_is_told_in_words(session, host, model, turn, value, words):
    told, box, plot = causal.accept(session, Click(name="what_if", turn=1, row=0, value=value))
    assert words in told and "alert" in told and not box.visible and plot is None
    asked = len(model.asked)
    list(causal.answer(session, host))
    assert len(model.asked) == asked


@pytest.mark.parametrize("data", [{"turn": 7, "row": 0}, {"turn": 1, "row": 99}, {"turn": 1, "row": "0"}, {}])
def test_what_is_not_there_is_told_in_words(session, turn, data):
    assert "No attention was kept" in causal.accept(session, Click(name="leave_out", **data))[0]


def test_a_failing_model_is_told_in_words(session, host, model, turn):
    model.error = RuntimeError("secret")
    text, *_ = again(session, host, name="leave_out")
    assert "Something went wrong" in text and "secret" not in text


def test_the_first_answer_stands_there_while_the_second_is_asked_for(session, turn):
    told, box, _ = causal.accept(session, Click(name="leave_out", turn=1, row=0))
    assert "Asking again" in told and told.count("kb-card") == 2 and "<mark>Ingrid Solvang</mark>" in told and not box.visible


def test_a_new_question_puts_the_pair_away_and_an_answer_that_comes_late_stays_away(session, host, turn):
    causal.accept(session, Click(name="leave_out", turn=1, row=0))
    assert causal.close(session)[0] != ""  # no question is on its way: the pair stays
    chat.accept(session, {}, DIRECTOR)
    assert causal.close(session)[0] == ""
    assert not any(isinstance(told, str) for told, *_ in causal.answer(session, host))


def test_without_any_other_fact_the_answer_is_gone(session, host):
    session.draft.replace(ROWS[:1])
    chat.accept(session, {}, DIRECTOR)
    list(chat.stream(session, host, "kblam", 0.2))
    assert "gives no answer" in again(session, host, name="leave_out")[0]


def test_an_unrelated_fact_does_not_change_the_answer(session, host, turn):
    change = make_change(turn, 2, None, "en")
    assert verdict(change, turn.answer) == "verdict_same"
    assert "stays the same" in comparison(change, turn.answer, "en")


def test_a_row_that_is_not_there_is_refused(turn):
    with pytest.raises(InputError):
        make_change(turn, 99, None, "en")


def test_the_difference_map_matches_facts_by_entity_and_property():
    old, new = [Triple("A", "p", "1"), Triple("B", "p", "2")], [Triple("B", "p", "3")]
    before = Trace(["who"], [], [3], 1, [0, 1], np.array([[[[0.6, 0.1, 0.0, 0.3]]]], np.float16))
    after = Trace(["who"], [], [3], 1, [0], np.array([[[[0.5, 0.0, 0.5]]]], np.float16))
    figure = difference_figure(before, old, after, new)
    (cells,) = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["A<br>p", "B<br>p"]
    assert np.allclose(cells.z, [[-0.6], [0.4]], atol=1e-3) and cells.zmin == -cells.zmax
    other = Trace(["what"], [], [3], 1, [0], after.weights)
    assert difference_figure(before, old, other, new) is None
