"""The heatmap: every word and fact in its place, shares that add up, typed text escaped."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from app.figures import heatmap_figure, mean_mass
from kblam_core import Heatmap, Trace, Triple

FACTS = [Triple(f"Entity {number}", "property", f"value {number}") for number in range(60)]


def heatmap(tokens: int, facts: int) -> Heatmap:
    weights = np.random.default_rng(0).random((tokens, facts + 1)).astype(np.float32) / (2 * facts)
    return Heatmap(
        [f"w{number}" for number in range(tokens)],
        list(range(facts)),
        weights,
        weights.sum(1).tolist(),
        "mean of all",
    )


def test_rows_are_facts_columns_are_words_and_the_last_row_is_the_rest():
    source = heatmap(4, 3)
    bars, cells, others = heatmap_figure(source, FACTS).data
    assert np.allclose(np.array([*cells.z, *others.z]).T, source.weights, atol=1e-4)
    assert list(bars.y) == pytest.approx(source.kb_mass)
    figure = heatmap_figure(source, FACTS)
    assert figure.layout.yaxis.ticktext[-1] == "other facts"
    assert figure.layout.title.text == "mean of all"
    assert "value 0" in cells.hovertext[0][0] and "Entity 0" in cells.hovertext[0][0]


def test_typed_text_is_escaped():
    facts = [Triple("<b>x</b>", "p", "<a href='javascript:1'>v</a>")]
    weights = np.array([[0.5, 0.1]], dtype=np.float32)
    text = heatmap_figure(Heatmap(["<i>"], [0], weights, [0.6], "<u>"), facts).to_json()
    assert not any(tag in json.dumps(json.loads(text)["data"]) for tag in ("<b>x", "<a ", "<i>"))


def test_sixty_words_by_fifty_facts_is_drawn_in_time():
    start = time.perf_counter()
    figure = heatmap_figure(heatmap(60, 50), FACTS)
    figure.to_json()
    assert time.perf_counter() - start < 0.3


def test_an_answer_without_words_still_draws():
    empty = Heatmap([], [], np.zeros((0, 1), np.float32), [], "nothing")
    assert heatmap_figure(empty, FACTS).data
    assert mean_mass(empty) == 0.0


def test_a_real_trace_reduces_to_a_figure():
    weights = np.random.default_rng(1).random((2, 3, 5, 4)).astype(np.float16)
    weights /= weights.sum(-1, keepdims=True)
    trace = Trace(["a", "b"], ["c", "d", "e"], [3, 9], 3, [4, 7], weights)
    for rows, layer, head in (("answer", None, None), ("question", 9, 2)):
        reduced = trace.heatmap(rows=rows, layer=layer, head=head, top_k=1)
        assert np.allclose(np.asarray(reduced.weights).sum(1), reduced.kb_mass, atol=2e-2)
        assert heatmap_figure(reduced, FACTS).layout.title.text.replace("<br>", " ") == reduced.title
