"""The sample tables: nothing of the evaluation tables is in them, and their questions are about them."""

from __future__ import annotations

import pytest

from app.samples import SAMPLES
from app.texts_en import EN
from app.texts_ru import RU
from kblam_core import read_table
from tests.serving import ROOT


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_sample_is_titled_and_shares_no_fact_with_the_evaluation(sample):
    assert f"sample_{sample.key}" in EN and f"sample_{sample.key}" in RU
    held_out = {
        triple
        for folder in ("evaluation", "evaluation_held_out")
        for path in (ROOT / "assets" / folder).glob("*.csv")
        for triple in read_table(path).triples
    }
    assert held_out and not held_out & set(sample.triples())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_all_but_the_last_question_name_an_entity_of_the_table(sample):
    entities = {triple.entity.casefold() for triple in sample.triples()}
    for question in sample.questions[:3]:
        assert any(entity in question.casefold() for entity in entities), question
