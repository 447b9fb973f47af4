"""The copy state: follows a sentence to its end, then ends or goes on with another fact; loops are impossible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kblam_core.copying import CopyState

END = 99
REFUSAL = [7, 8, 9]
SENTENCES = [[1, 2, 10, 11], [1, 2, 20], [1, 3, 30, 31, 32]]


def state(sentences=SENTENCES, *, more=None) -> CopyState:
    """Later sentences begin with 50 instead of what a first one begins with."""
    return CopyState(
        firsts=sentences,
        others=[[50, *sentence[1:]] for sentence in sentences],
        refusal=REFUSAL,
        end=END,
        more=np.zeros(len(sentences)) if more is None else np.array(more, dtype=float),
    )


def follow(copy: CopyState, shares, answerable: float = 1.0, limit: int = 60) -> list[int]:
    """Take the likeliest token until the end."""
    made = []
    while len(made) < limit:
        choice = copy.distribution(np.array(shares, dtype=float), answerable)
        token = max(choice, key=choice.get)
        if token == END:
            return made
        made.append(token)
        copy.advance(token)
    raise AssertionError("does not end")


@pytest.mark.parametrize("fact", [0, 1, 2])
def test_the_attended_fact_is_followed_to_its_end(fact):
    copy = state()
    assert follow(copy, np.eye(3)[fact] + 0.01) == SENTENCES[fact]
    assert copy.used == [fact]
    assert copy.distribution(np.eye(3)[fact], 1.0) == {END: 1.0}


def test_sentences_with_one_beginning_are_told_apart_by_attention_at_the_fork():
    copy = state()
    for token in (1, 2):
        copy.advance(token)
    assert sorted(copy.sources()) == [0, 1]
    choice = copy.distribution(np.array([0.3, 0.1, 0.6]), 1.0)
    assert choice == pytest.approx({10: 0.75, 20: 0.25})


def test_a_refusal_is_one_more_sentence():
    copy = state()
    assert copy.distribution(np.array([0.2, 0.3, 0.5]), 0.2) == pytest.approx({7: 0.8, 1: 0.2})
    assert follow(copy, [0.2, 0.3, 0.5], 0.2) == REFUSAL
    assert copy.refused
    assert copy.used == []
    assert copy.distribution(np.array([0.2, 0.3, 0.5]), 1.0) == {END: 1.0}


def test_two_facts_are_copied_one_after_the_other():
    copy = state(more=[0.9, 0.1, 0.9])
    made = follow(copy, [0.6, 0.1, 0.3])
    assert made == [*SENTENCES[0], 50, *SENTENCES[2][1:]]
    assert copy.used == [0, 2]


def test_a_fact_is_not_copied_twice_however_sure():
    copy = state(more=[1, 1, 1])
    made = follow(copy, [0.98, 0.01, 0.01])
    assert sorted(copy.used) == [0, 1, 2]
    assert len(made) == sum(map(len, SENTENCES))


def test_equal_sentences_are_used_up_together():
    copy = state([[1, 2], [1, 2], [1, 5]], more=[1, 1, 0])
    assert follow(copy, [0.5, 0.3, 0.2]) == [1, 2]
    assert copy.used == [0, 1]


def test_a_sentence_that_goes_on_where_another_ends_is_not_cut_short():
    """ "The x of A is 5." and "The x of A is 5.25.": the same tokens up to the first full stop."""
    copy = state([[1, 2, 3], [1, 2, 3, 4, 3]])
    assert follow(copy, [0.02, 0.98]) == [1, 2, 3, 4, 3]


def test_leaving_every_sentence_silences_the_copy():
    copy = state()
    copy.advance(1)
    copy.advance(77)
    assert copy.distribution(np.ones(3) / 3, 1.0) == {}
    copy.advance(2)
    assert copy.distribution(np.ones(3) / 3, 1.0) == {}
    assert copy.remainder(np.ones(3) / 3) == []
    assert copy.used == []


def test_an_empty_table_can_only_be_refused():
    copy = state([])
    assert follow(copy, [], 0.9) == REFUSAL


def test_the_remainder_is_what_is_left_of_the_likeliest_sentence():
    copy = state()
    shares = np.array([0.2, 0.1, 0.7])
    assert copy.remainder(shares) == []
    copy.advance(1)
    assert copy.remainder(shares) == [3, 30, 31, 32]
    copy.advance(2)
    assert copy.remainder(shares) == [10, 11]
    refused = state()
    refused.advance(7)
    assert refused.remainder(shares) == [8, 9]


sentences = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=5).map(lambda body: [*body, 40]), max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.data(), sentences, st.floats(0, 1), st.randoms(use_true_random=False))
def test_distributions_sum_to_one_and_copying_always_ends(data, facts, answerable, random):
    copy = state(facts, more=[random.random() for _ in facts])
    tokens = 0
    while True:
        shares = np.array([random.uniform(0.001, 1) for _ in facts])
        choice = copy.distribution(shares, answerable)
        assert not choice or sum(choice.values()) == pytest.approx(1)
        assert all(-1e-9 <= probability <= 1 + 1e-9 for probability in choice.values())
        rest = copy.remainder(shares)
        assert not rest or rest[0] in choice
        left_the_path = data.draw(st.integers(0, 9)) == 0
        token = 60 if left_the_path or not choice else random.choice(sorted(choice))
        if token == END or not choice:
            break
        copy.advance(token)
        tokens += 1
        assert len(copy.used) == len(set(copy.used))
        assert tokens <= sum(map(len, facts)) + len(REFUSAL) + 1
