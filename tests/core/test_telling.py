"""What tells one name from another: words, in the whole table and among entities of one kind."""

from __future__ import annotations

import pytest

from kblam_core.lexical import LEXICAL_FEATURES, Alignment
from kblam_core.telling import Telling
from kblam_core.triples import Triple


def table(*entities: str, property_: str = "meaning") -> list[Triple]:
    return [Triple(entity, property_, "x") for entity in entities]


def measures(question: str, entity: str, telling: Telling) -> dict[str, float]:
    alignment = Alignment(question, [entity, "meaning", "gone"])
    taken = alignment.residual(entity)[1]
    return dict(zip(LEXICAL_FEATURES, alignment.features(entity, "meaning", "gone", taken, telling.of(entity)), strict=True))


def test_words_that_all_entities_share_tell_little():
    telling = Telling(table("HTTP 404", "HTTP 503", "HTTP 418", "Gopher"))
    assert telling.of("HTTP 404")["404"] == telling.of("HTTP 503")["503"] == pytest.approx(1)
    assert telling.of("HTTP 404")["http"] < 0.4
    assert Telling(table("Halden Workshop")).of("Halden Workshop") == {"halden": pytest.approx(1), "workshop": pytest.approx(1)}
    named, other = (measures("what does 503 mean", entity, telling) for entity in ("HTTP 503", "HTTP 404"))
    assert named["entity_telling"] > 0.7 > named["entity_mean"] > other["entity_telling"] == 0


def test_a_word_that_all_names_share_may_be_said_otherwise():
    """ "code 451" is no other name than "HTTP 451" where every entity is an HTTP code; where few are, it may be one."""
    seen = []
    for names in ([f"HTTP {code}" for code in range(400, 460)], ["HTTP 451", *(f"Route {code}" for code in range(400, 460))]):
        seen.append(measures("what does code 451 mean", "HTTP 451", Telling(table(*names)))["entity_swapped_before"])
    assert seen[0] < 0.05 < 0.4 < seen[1]


def test_what_stands_in_the_same_table_about_other_things_changes_nothing():
    codes = table(*(f"HTTP {code}" for code in range(400, 460)))
    towns = table(*(f"Town of number {number}" for number in range(1000, 4000)), property_="mayor")
    alone, among = Telling(codes).of("HTTP 451"), Telling([*codes, *towns]).of("HTTP 451")
    assert among == pytest.approx(alone)


def test_the_most_widespread_property_says_of_which_kind_an_entity_is():
    codes = table(*(f"HTTP {code}" for code in range(400, 460)))
    telling = Telling([Triple("HTTP 451", "named after", "a novel"), *codes])
    assert telling.of("HTTP 451")["http"] < 0.05
    assert telling.of("Nobody") == {}
