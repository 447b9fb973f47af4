"""How answers are judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kblam_core.evaluation.metrics import (
    is_correct,
    is_exact,
    normalise,
    percentile,
    ratio,
    reads_as_refusal,
    token_f1,
    wilson,
)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("The Director, of  Halden's", "director of halden s"),
        ("1,200.50 kr", "1200.50 kr"),
        ("-12", "-12"),
        ("\u221212", "-12"),
        ("12.", "12"),
        ("at 10:30.", "at 10:30"),
        ("Café ÉCOLE", "café école"),
        ("Cafe\u0301", "café"),
        ("Ёлка, Москва!", "ёлка москва"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("東京2号", "東 京 2 号"),
        ("C++", "c++"),
        ("🙂!", "🙂"),
        ("Ｆｕｌｌ１２", "full12"),
        ("a\u200bn\u00adt", "ant"),
        ("The a an", ""),
    ],
)
def test_normalise(text, bare):
    assert normalise(text) == bare


@given(text=st.text(max_size=60))
def test_normalise_is_stable_and_blind_to_case_and_space(text):
    once = normalise(text)
    assert normalise(once) == once
    assert normalise(f"  {text} ") == once
    assert "  " not in once and once == once.strip()


@given(letters=st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=20))
def test_letters_of_every_script_are_kept(letters):
    assert normalise(letters, keep_articles=True)


@given(gold=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=15))
def test_the_gold_value_in_its_sentence_is_correct_and_exact(gold):
    answer = f"The code of Halden is {gold}."
    assert is_correct(answer, gold, refused=False)
    assert is_exact(gold, gold, refused=False)
    assert token_f1(gold, gold, refused=False) == 1.0
    assert not is_correct(answer, gold, refused=True)
    assert not is_exact(answer, gold, refused=True)
    assert token_f1(answer, gold, refused=True) == 0.0


@pytest.mark.parametrize(
    ("answer", "gold", "correct"),
    [
        ("It is 35.", "3.5", False),
        ("It is 3.5.", "35", False),
        ("It is 3.5.", "5", False),
        ("It is -12.", "12", False),
        ("Mara Lundgren runs it", "Mara Lund", False),
        ("Mara Lund's workshop", "Mara Lund", True),
        ("It opened in 1,987", "1987", True),
        ("The blood type is A.", "A", True),
        ("The blood type is B.", "A", False),
        ("Это Москва.", "москва", True),
        ("答えは東京です", "東京", True),
        ("anything", "—", False),
        ("it is —", "—", True),
        ("The character of interrobang is ‽.", "‽", True),
        ('It is "∈".', "∈", True),
        ("It is ∉.", "∈", False),
        ("It is ☃!", "☃", True),
        ("It melts at −38.83 °C.", "−38.83 °C", True),
        ("It melts at 38.83 °C.", "−38.83 °C", False),
        ("3×10⁸ m/s", "3 × 10⁸ m/s", True),
        ("about ~5 km", "5 km", True),
        ("", "x", False),
    ],
)
def test_correct(answer, gold, correct):
    assert is_correct(answer, gold, refused=False) is correct


def test_exact_looks_past_the_lead_in_only():
    assert is_exact("The director of Halden is Mara Lund.", "Mara Lund", refused=False)
    assert not is_exact("The director of Halden is Mara Lund from Oslo.", "Mara Lund", refused=False)
    assert not is_exact("", "x", refused=False)
    assert token_f1("Mara Lund runs it", "Mara Lund", refused=False) == pytest.approx(2 / 3)
    assert token_f1("nothing of the kind", "Mara Lund", refused=False) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I don't know.",
        "I’m sorry, but I can't find it",
        "The facts do not mention the price.",
        "The facts do not answer this question.",
        "The price is not listed in the facts.",
        "The answer is not explicitly stated.",
        "Unknown",
        "There is no information about it.",
        "I am sorry I cannot find relevant information in the KB.",
        "It is not possible to determine the owner.",
        "I do not have access to that.",
    ],
)
def test_refusals_are_noticed(text):
    assert reads_as_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "The director of Halden is Mara Lund.",
        "No. 7, Quay Street",
        "1987",
        "The motto is Never Not Open.",
        "It does work on Sundays.",
    ],
)
def test_answers_are_no_refusals(text):
    assert not reads_as_refusal(text)


@given(total=st.integers(1, 2000), data=st.data())
def test_wilson_holds_the_share_within_0_and_1(total, data):
    successes = data.draw(st.integers(0, total))
    low, high = wilson(successes, total)
    assert 0 <= low <= successes / total + 1e-4
    assert successes / total - 1e-4 <= high <= 1


def test_figures_by_hand():
    assert wilson(95, 100) == [0.8882, 0.9785]
    assert wilson(0, 0) is None
    assert ratio(1, 3) == 0.3333
    assert ratio(0, 0) is None
    assert percentile([], 50) is None
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([1, 2], 95) == 1.95


@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=30), percent=st.floats(0, 100))
def test_percentiles_stay_within_the_values(values, percent):
    assert min(values) - 0.01 <= percentile(values, percent) <= max(values) + 0.01
