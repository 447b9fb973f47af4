"""A trace's reductions: scales that mean what they say, one range for all heads, heads told apart by what they looked at."""

from __future__ import annotations

import numpy as np
import pytest

from kblam_core import InputError, Trace


@pytest.fixture
def trace() -> Trace:
    weights = np.random.default_rng(3).random((2, 3, 5, 4)).astype(np.float32)
    weights[1, 2, 2:, 0] += 40  # layer 9, head 2 looks at fact 7 while answering
    weights /= weights.sum(-1, keepdims=True)
    return Trace(["a", "b"], ["c", "d", "e"], [3, 9], 3, [7, 4], weights.astype(np.float16))


def test_within_the_table_the_columns_add_up_to_one(trace):
    heatmap = trace.heatmap(scale="table", top_k=1)
    np.testing.assert_allclose(heatmap.weights.sum(1), 1, atol=1e-3)
    np.testing.assert_allclose(heatmap.kb_mass, trace.heatmap().kb_mass)


def test_per_row_the_largest_of_each_fact_is_one(trace):
    np.testing.assert_allclose(trace.heatmap(scale="row", layer=3, head=1).weights.max(0), 1, atol=1e-5)


def test_the_colour_range_is_the_same_for_every_layer_and_head_and_holds_them_all(trace):
    for scale in ("raw", "table"):
        maps = [trace.heatmap(scale=scale)] + [trace.heatmap(scale=scale, layer=layer, head=head) for layer in (3, 9) for head in range(3)]
        assert len({heatmap.peak for heatmap in maps}) == 1
        assert max(heatmap.weights[:, :-1].max() for heatmap in maps) == pytest.approx(maps[0].peak, abs=1e-3)


def test_an_unknown_scale_is_refused_in_words(trace):
    with pytest.raises(InputError, match="raw, table, row"):
        trace.heatmap(scale="log")


def test_shares_are_whole_and_heads_are_told_apart(trace):
    np.testing.assert_allclose(trace.shares().sum(1), 1, atol=1e-3)
    cited = trace.head_shares([7])
    assert np.unravel_index(cited.argmax(), cited.shape) == (1, 2)
    assert (trace.head_shares() >= cited - 1e-6).all()
    assert trace.head_shares([99]).max() == 0


def test_an_answer_without_tokens_has_no_shares():
    trace = Trace(["a"], [], [3], 2, [0], np.full((1, 2, 1, 3), 1 / 3, np.float16))
    assert trace.head_shares([0]).tolist() == [[0, 0]]
    assert trace.heatmap().weights.shape == (0, 2)
