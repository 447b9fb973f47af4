"""People's tables as training material: what is answered in a table, and what is asked in vain in a part of it."""

from __future__ import annotations

from collections import Counter

import pytest

from kblam_core.prior import readable
from kblam_core.training.people import Asked, PeopleTable, load_people, people_samples
from kblam_core.training.people_pairs import PeoplePairs
from kblam_core.triples import Triple

TOWN = PeopleTable(
    "town",
    tuple(
        Triple(*fact)
        for fact in (
            ("Old Harbour Bridge", "built", "1878"),
            ("Old Harbour Bridge", "length", "212 m"),
            ("New Harbour Bridge", "built", "1994"),
            ("New Harbour Bridge", "length", "305 m"),
            ("Corn Exchange", "built", "1851"),
            ("Corn Exchange", "architect", "Ida Brandt"),
        )
    ),
    (
        Asked("answerable", "how long is the Old Harbour Bridge", "Old Harbour Bridge", "length"),
        Asked("answerable", "how old is the older harbour crossing", "Old Harbour Bridge", "built"),
        Asked("answerable", "who drew up the corn exchange", "Corn Exchange", "architect"),
        Asked("missing_property", "Who designed the New Harbour Bridge?", "New Harbour Bridge", "architect"),
        Asked("near_miss", "When was the Harbour Tunnel dug?", "Harbour Tunnel", "built"),
    ),
    left_out=False,
)


def without(*entities: str, fact: tuple[str, str] | None = None) -> PeopleTable:
    kept = tuple(one for one in TOWN.triples if one.entity not in entities and (one.entity, one.property) != fact)
    return PeopleTable("town", kept, TOWN.asked, left_out=False)


def kinds(table: PeopleTable) -> dict[str, str]:
    (group,) = people_samples([table], parts=0, seed=0)
    return {sample.question: sample.kind for sample in group}


def test_a_whole_table_answers_what_it_was_asked_and_no_more():
    (group,) = people_samples([TOWN], parts=0, seed=0)
    assert [sample.kind for sample in group] == [one.kind for one in TOWN.asked]
    for sample in group:
        assert bool(sample.gold) == (sample.kind == "answerable")
        assert all(sample.triples[row].property == sample.property and sample.triples[row].entity == sample.entity for row in sample.gold)


def test_a_fact_that_is_gone_is_a_missing_property():
    assert kinds(without(fact=("Corn Exchange", "architect")))["who drew up the corn exchange"] == "missing_property"


def test_an_entity_that_is_gone_is_missing_unless_another_one_may_be_meant():
    assert kinds(without("Corn Exchange"))["who drew up the corn exchange"] == "missing_entity"
    found = kinds(without("Old Harbour Bridge"))
    assert found["how long is the Old Harbour Bridge"] == "near_miss"  # the whole name stands in the question
    assert "how old is the older harbour crossing" not in found  # might be the new one now


def test_parts_come_by_the_seed_and_refuse_what_they_lost():
    groups = people_samples(load_people()[:4], parts=2, seed=5)
    assert groups == people_samples(load_people()[:4], parts=2, seed=5)
    for group in groups:
        assert len({sample.triples for sample in group}) == 1
        facts = {(triple.entity, triple.property) for triple in group[0].triples}
        for sample in group:
            assert ((sample.entity, sample.property) in facts) == (sample.kind == "answerable") == bool(sample.gold)


@pytest.fixture(scope="module")
def tables() -> tuple[PeopleTable, ...]:
    return load_people()


def test_there_are_many_tables_and_a_third_is_left_out_for_the_prior(tables):
    assert len(tables) > 120
    assert len({table.name for table in tables}) == len(tables)
    assert 0.25 < sum(table.left_out for table in tables) / len(tables) < 0.4
    entities = {
        left_out: {one.entity.casefold() for table in tables if table.left_out == left_out for one in table.triples} for left_out in (0, 1)
    }
    assert len(entities[0] & entities[1]) < 0.02 * len(entities[1])


def test_each_table_is_sound(tables):
    for table in tables:
        facts = Counter((triple.entity, triple.property) for triple in table.triples)
        held = {entity for entity, _ in facts}
        assert max(facts.values()) == 1, table.name
        assert all(triple.value and triple.entity and readable(triple.property) for triple in table.triples), table.name
        assert len({one.question.casefold() for one in table.asked}) == len(table.asked), table.name
        for one in table.asked:
            there = (one.entity, one.property) in facts
            expected = {"answerable": there, "missing_property": one.entity in held and not there}
            assert expected.get(one.kind, one.entity not in held), (table.name, one)


def test_pairs_put_the_answer_first_and_say_nothing_of_the_entity(tables):
    maker, again = (PeoplePairs([TOWN, tables[0]], seed=1, facts=4) for _ in range(2))
    drawn = [maker.draw() for _ in range(300)]
    assert drawn == [again.draw() for _ in range(300)]
    answers = {f"The {one.property} of it is {one.value}." for one in TOWN.triples}
    for question, facts, _ in drawn:
        assert 1 <= len(facts) <= 4
        assert len(set(facts)) == len(facts)
        assert "Corn Exchange" not in question
    by_question = {question: facts for question, facts, answered in drawn if answered}
    assert by_question["who drew up it"][0] == "The architect of it is Ida Brandt." in answers
    saved = maker.state()
    ahead = [maker.draw() for _ in range(50)]
    again.restore(saved)
    assert [again.draw() for _ in range(50)] == ahead
