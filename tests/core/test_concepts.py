"""WordNet's concepts as training material for the cross-encoder."""

from __future__ import annotations

import numpy as np
import pytest

from kblam_core.training.concepts import ConceptMaker, load_concepts


class LetterEncoder:
    """Unit vectors of letter counts: enough to have neighbours."""

    width = 26

    def encode(self, texts):
        counts = np.array([[text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts], dtype=np.float32) + 0.1
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def maker() -> ConceptMaker:
    return ConceptMaker(LetterEncoder(), seed=3, facts=6)


def test_a_concept_is_not_beside_its_broader_and_narrower_ones():
    for place, concept in enumerate(load_concepts()):
        assert place not in concept.near
        assert not set(concept.near) & set(concept.apart)


def test_the_answer_comes_first_and_only_when_there_is_one(maker):
    concepts = load_concepts()
    places = {word: place for place, concept in enumerate(concepts) for word in concept.words}
    for _ in range(200):
        question, facts = maker.draw(answered=True)
        assert "it" in question.casefold().split() or "it" in question.casefold()
        assert len(facts) == len(set(facts)) == 6
        names = [fact.removeprefix("The ").partition(" of it is ")[0] for fact in facts]
        asked = concepts[places[names[0]]]
        assert not {places[name] for name in names[1:]} & {places[names[0]], *asked.apart}
        assert len(maker.draw(answered=False)[1]) == 6


def test_the_same_seed_draws_the_same():
    def drawn() -> list:
        made = ConceptMaker(LetterEncoder(), seed=5, facts=4)
        return [made.draw(answered=True) for _ in range(20)]

    assert drawn() == drawn()


def test_an_adjective_asks_for_its_attribute(maker):
    drawn = [maker.draw(answered=True) for _ in range(400)]
    assert any(question.startswith("How ") and " is it" in question for question, _ in drawn)
