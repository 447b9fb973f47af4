"""Words and their alignment: scripts, possessives, camelCase, near misses, and numbers that stay finite for any text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kblam_core.lexical import LEXICAL_FEATURES, Alignment, EntityIndex, fold, rarity, similarity, words
from kblam_core.prior import readable

QUICK = settings(max_examples=150, deadline=None)


def features(question: str, entity: str, property_: str = "head", value: str = "Ann") -> dict[str, float]:
    alignment = Alignment(question, [entity, property_, value])
    _, taken = alignment.residual(entity)
    return dict(zip(LEXICAL_FEATURES, alignment.features(entity, property_, value, taken, {}), strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who runs the Halden Workshop?", ["who", "runs", "the", "halden", "workshop"]),
        ("the Workshop's head", ["the", "workshop", "head"]),
        ("Halden’s, O'Brien's", ["halden", "o", "brien"]),
        ("date_built", ["date", "built"]),
        ("who owns GitHub", ["who", "owns", "github"]),
        ("C++ and C#", ["c++", "and", "c#"]),
        ("Café ÉCOLE", ["cafe", "ecole"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("Где мастерская?", ["gde", "masterskaya"]),
        ("Ayşe Yıldız, Björn Þórsson", ["ayse", "yildiz", "bjorn", "thorsson"]),
        ("Ольга Петрова", ["olga", "petrova"]),
        ("α-Ω, Ø", ["α", "ω", "ø"]),
        ("東京駅の高さ", ["東", "京", "駅", "の", "高", "さ"]),
        ("높이 12 m", [fold("높이"), "12", "m"]),
        ("ＡＢＣ１２", ["abc12"]),
        ("हिन्दी भाषा", [fold("हिन्दी"), fold("भाषा")]),
        ("क्‍ष", [fold("क्ष")]),
        ("தமிழ் நாடு", [fold("தமிழ்"), fold("நாடு")]),
        ("שָׁלוֹם", ["שלום"]),
        ("Jose\u0301 ❤️", ["jose", "❤", "\ufe0f"]),
        ("สวัส", ["ส", "ว", "ั", "ส"]),
        ("who is ☃?", ["who", "is", "☃"]),
        ("{e} <b> ${1}", ["e", "b", "1"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words_of_many_scripts(text, expected):
    assert list(words(text).folded) == expected


@pytest.mark.parametrize(("name", "expected"), [("keeperName", ["keeper", "name"]), ("a_dateBuilt", ["a", "date", "built"])])
def test_column_names_are_split_at_capitals(name, expected):
    assert list(words(readable(name)).folded) == expected


@pytest.mark.parametrize("text", ["Who runs Halden's keeperName?", "keeperName", "a_bC dE", "東京 Café's dateBuilt_x", "МояМастерская"])
def test_spans_point_at_the_words_in_the_text(text):
    found = words(text)
    assert [fold(text[start:end]) for start, end in found.spans] == list(found.folded)


@QUICK
@given(st.text(max_size=40))
def test_spans_are_in_order_and_inside_any_text(text):
    found = words(text)
    position = 0
    for (start, end), word in zip(found.spans, found.folded, strict=True):
        assert position <= start < end <= len(text)
        assert word
        position = end
    assert ((found.rarity >= 0) & (found.rarity <= 1)).all()


def test_capitals_and_numbers_are_noted():
    found = words("Bay 12 of halden")
    assert found.capital.tolist() == [True, False, False, False]
    assert found.number.tolist() == [False, True, False, False]


def test_common_words_are_not_rare():
    assert rarity("what") < 0.1 < rarity("house") < rarity("skarvnes") == 1.0
    assert rarity("houses") < 1


@pytest.mark.parametrize("word", ["of", "the", "and", "in"])
def test_small_words_belong_to_a_mention_only_inside_it(word):
    text, _ = Alignment(f"Who has {word} key for House {word} Linden?", [f"House {word} Linden"]).residual(f"House {word} Linden")
    assert text == f"Who has {word} key for it?"


@pytest.mark.parametrize("entity", ["GitHub", "McDonald", "JavaScript", "LaTeX"])
def test_a_name_with_a_capital_inside_is_found_in_a_question(entity):
    assert features(f"Who owns {entity} now?", entity)["entity_mean"] == pytest.approx(1)
    assert features(f"who owns {entity.lower()}", entity)["entity_mean"] == pytest.approx(1)
    assert Alignment(f"Who owns {entity} now?", [entity]).residual(entity)[0] == "Who owns it now?"
    assert EntityIndex([entity, "Linden"]).coverage(f"Who owns {entity} now?").tolist() == pytest.approx([1, 0])


def test_digits_agree_wholly_or_not_at_all():
    matrix = similarity(["uranium235", "workshop", "of"], ["uranium234", "workshops", "on"])
    assert matrix[0, 0] <= 0.5
    assert matrix[1, 1] > 0.8
    assert matrix[2, 2] <= 0.5
    assert similarity([], ["a"]).shape == (0, 1)


@pytest.mark.parametrize(
    ("question", "entity", "expected"),
    [
        ("Who runs the Halden Workshop?", "Halden Workshop", "Who runs it?"),
        ("Who runs the haldn workshop?", "Halden Workshop", "Who runs it?"),
        ("What is Halden Workshop's budget?", "Halden Workshop", "What is it's budget?"),
        ("head of the House of Linden", "House of Linden", "head of it"),
        ("Who runs Linden?", "Halden Workshop", "Who runs Linden?"),
        ("", "Halden", ""),
        ("Who?", "", "Who?"),
        ("Сколько стоит Хеморин?", "Хеморин", "Сколько стоит it?"),
    ],
)
def test_the_residual_is_the_question_without_the_entity(question, entity, expected):
    text, taken = Alignment(question, [entity]).residual(entity)
    assert text == expected
    assert len(taken) == len(words(question).folded)


def test_the_same_entity_explains_more_than_a_near_miss():
    held = features("Who runs Linden House?", "Linden House")
    near = features("Who runs Linden House?", "Laurel House")
    assert held["entity_mean"] == pytest.approx(1)
    assert held["entity_phrase"] == 1
    assert near["entity_mean"] < 0.8
    assert near["entity_min"] < held["entity_min"]
    assert near["entity_phrase"] == 0
    assert near["rest_capitals"] > held["rest_capitals"]
    assert near["rest_rarity"] > held["rest_rarity"]


def test_another_number_is_another_entity():
    held, near = (features("Where is Bay 12?", entity) for entity in ("Bay 12", "Bay 13"))
    assert held["entity_numbers"] == 0
    assert near["entity_numbers"] == 1
    assert near["rest_numbers"] > held["rest_numbers"] == 0


def test_a_typo_and_lost_accents_still_match():
    assert features("who runs Haldn Workshop", "Halden Workshop")["entity_mean"] > 0.8
    assert features("who runs Cafe Ecole", "Café École")["entity_exact"] == 1


def test_initials_and_property_words_are_seen():
    assert features("who runs the HW?", "Halden Workshop")["entity_initials"] == 1
    assert features("head of Halden Workshop", "Halden Workshop")["property_exact"] == 1
    assert features("budget of Halden Workshop", "Halden Workshop")["property_exact"] == 0
    assert features("Is Ann at Halden?", "Halden", value="Ann")["value_mean"] == 1


@QUICK
@given(*(st.text(max_size=25) for _ in range(4)))
def test_features_are_finite_for_any_text(question, entity, property_, value):
    alignment = Alignment(question, [entity, property_, value])
    text, taken = alignment.residual(entity)
    assert isinstance(text, str)
    row = alignment.features(entity, property_, value, taken, {})
    assert len(row) == len(LEXICAL_FEATURES)
    assert np.isfinite(row).all()
    coverage = EntityIndex([entity, "Halden", ""]).coverage(question)
    assert coverage.shape == (3,)
    assert ((coverage >= 0) & (coverage <= 1 + 1e-6)).all()


@QUICK
@given(st.lists(st.text("abc XÉж東", max_size=12), max_size=5), st.text("abc XÉж東", max_size=20))
def test_an_entitys_coverage_does_not_depend_on_the_others(entities, question):
    together = EntityIndex(entities).coverage(question)
    alone = [EntityIndex([entity]).coverage(question)[0] for entity in entities]
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("question", "entity", "expected"),
    [
        ("How endangered is the clouded leopard?", "snow leopard", "entity_swapped_before"),
        ("When did Apollo 12 fly?", "Apollo 11", "entity_swapped_after"),
        ("code of the zero width non-joiner", "zero width joiner", "entity_inserted"),
        ("room of the Self-Portrait with Two Gloves", "Self-Portrait with Two Herons", "entity_swapped_after"),
        ("Who wrote the libretto of the Magic Flute?", "The Magic Flute", None),
        ("students of the faculty of music at the University of Bergen", "University of Bergen", None),
        ("Who runs Halden?", "Halden Workshop", None),
        ("Who runs the workshop in Halden?", "Halden Workshop", None),
        ("How endangered is the snow leopard?", "snow leopard", None),
    ],
)
def test_a_word_of_another_name_shows(question, entity, expected):
    alignment = Alignment(question, [entity, "status", "x"])
    measures = dict(zip(LEXICAL_FEATURES, alignment.features(entity, "status", "x", alignment.residual(entity)[1], {}), strict=True))
    shown = {name for name in ("entity_swapped_before", "entity_swapped_after", "entity_inserted") if measures[name] > 0}
    assert shown == ({expected} if expected else set())


@pytest.mark.parametrize(
    ("question", "entity"),
    [
        ("Who led the premiere of the Seventh Symphony?", "Symphony No. 7"),
        ("When did Apollo XI land?", "Apollo 11"),
        ("When did Apollo eleven land?", "Apollo 11"),
        ("Where is the 3rd station?", "Station 3"),
        ("what pollinates figs?", "fig tree"),
    ],
)
def test_numbers_and_plurals_are_the_same_word_in_another_spelling(question, entity):
    assert "it" in Alignment(question, [entity]).residual(entity)[0].rstrip("?").split()


@pytest.mark.parametrize(
    ("question", "entity"), [("Which one is it?", "Room 1"), ("the first performance", "Symphony No. 1"), ("bus", "bu")]
)
def test_words_that_mostly_mean_something_else_are_no_numbers(question, entity):
    assert not Alignment(question, [entity]).residual(entity)[1].any()
