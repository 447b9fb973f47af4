"""Nothing of the evaluation tables may be in the training material: no question, no fact, no property kept for evaluation."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from kblam_core.prior import readable
from kblam_core.training.catalogue import glosses, load_catalogue, unrelated_messages
from kblam_core.training.concepts import load_concepts
from kblam_core.training.generator import Generator
from kblam_core.training.people import load_people
from kblam_core.training.seen import plain, seen_facts, seen_questions
from kblam_core.triples import read_table

ASSETS = Path(__file__).parents[2] / "assets"
FOLDERS = tuple(ASSETS / f"evaluation{kind}" for kind in ("", "_fresh", "_blind", "_everyday", "_sealed"))
RESERVED = FOLDERS[0]  # its property names are kept out of the training, too


@pytest.fixture(scope="module")
def facts(asked) -> set[tuple[str, str, str]]:
    """All facts of the suite that was kept apart from the start, and those that the fresh suite asks for: its tables hold facts of the
    world (capitals, directors) that training may know, but no question asks for one of them."""
    found = {(one["entity"], one["property"], one["answer"]) for one in asked if isinstance(one["answer"], str)}
    for path in RESERVED.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found |= {(row["entity"], row["property"], row["value"]) for row in csv.DictReader(file)}
    assert len(found) > 500
    return found


@pytest.fixture(scope="module")
def asked() -> list[dict]:
    found = [
        json.loads(line) for folder in FOLDERS for path in folder.glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()
    ]
    assert len(found) >= 300
    return found


@pytest.fixture(scope="module")
def samples() -> list:
    return [sample for seed in (0, 1, 2) for _ in range(12) for sample in Generator(seed).samples(12)]


def test_no_question_can_be_asked_in_training(asked):
    assert not seen_questions(asked)


def test_no_generated_sample_holds_a_question_or_a_fact(asked, facts, samples):
    questions = {plain(one["question"]) for one in asked} - {plain(message) for message in unrelated_messages()}
    assert not {sample.question for sample in samples if plain(sample.question) in questions}
    held = {tuple(map(plain, fact)) for fact in facts}
    made = {tuple(map(plain, (triple.entity, triple.property, triple.value))) for sample in samples for triple in sample.triples}
    assert not held & made


def test_no_fact_can_be_drawn_from_the_catalogue(facts):
    assert not seen_facts(facts)


def test_no_fact_is_a_dictionary_entry(facts):
    entries = {(plain(word), plain(gloss)) for word, gloss in glosses()}
    assert not [fact for fact in facts if (plain(fact[0]), plain(fact[2])) in entries and plain(fact[2])]


def test_no_reserved_property_is_in_the_catalogue():
    reserved = {plain(triple.property) for table in RESERVED.glob("*.csv") for triple in read_table(table).triples}
    taken = {
        (domain.name, name)
        for domain in load_catalogue()
        for property_ in domain.properties
        for name in property_.names
        if plain(readable(name)) in reserved
    }
    assert not taken
    assert not [word for concept in load_concepts() for word in concept.words if word in reserved]


def test_peoples_tables_share_no_name_and_no_reserved_property():
    names = {plain(triple.entity) for folder in FOLDERS for path in folder.glob("*.csv") for triple in read_table(path).triples}
    reserved = {plain(triple.property) for path in RESERVED.glob("*.csv") for triple in read_table(path).triples}
    for table in load_people():
        assert not names & {plain(one.entity) for one in (*table.triples, *table.asked)}, table.name
        assert not reserved & {plain(readable(one.property)) for one in (*table.triples, *table.asked)}, table.name
