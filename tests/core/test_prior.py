"""The question prior: candidates, readings, logits, and a loss that falls."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kblam_core.lexical import LEXICAL_FEATURES
from kblam_core.prior import (
    COSINES,
    ELSEWHERE,
    FLOOR,
    RESIDUALS,
    PriorInputs,
    QuestionPrior,
    answerable,
    candidates,
    cosines,
    elsewhere,
    prior_loss,
    read,
    readable,
)
from kblam_core.telling import Telling
from kblam_core.triples import Triple

TABLE = [
    Triple("Linden House", "head", "Ann"),
    Triple("Laurel House", "head", "Bo"),
    Triple("Linden House", "date_built", "1904"),
]


def random_inputs(batch: int = 3, count: int = 6, *, seed: int = 0) -> PriorInputs:
    source = torch.Generator().manual_seed(seed)

    return PriorInputs(
        cosines=2 * torch.rand(batch, count, len(COSINES), generator=source) - 1,
        elsewhere=torch.rand(batch, count, 2 * len(ELSEWHERE), generator=source),
        cross=4 * torch.randn(batch, count, generator=source),
        reader=4 * torch.randn(batch, count, generator=source),
        lexical=torch.rand(batch, count, len(LEXICAL_FEATURES), generator=source),
        group=torch.randint(0, 3, (batch, count), generator=source),
        padding=torch.zeros(batch, count, dtype=torch.bool),
    )


def pick(inputs: PriorInputs, rows: slice, columns) -> PriorInputs:
    return PriorInputs(**{field.name: getattr(inputs, field.name)[rows][:, columns] for field in fields(PriorInputs)})


def prior() -> QuestionPrior:
    torch.manual_seed(0)
    made = QuestionPrior().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("date_built", "date built"),
        ("keeperName", "keeper Name"),
        ("Height (m)", "Height (m)"),
        ("head", "head"),
        ("_", "_"),
        ("ПолноеИмя", "ПолноеИмя"),
    ],
)
def test_property_names_become_words(name, expected):
    assert readable(name) == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 1000))
def test_candidates_are_the_best_in_order(triples, count, seed):
    source = np.random.default_rng(seed)
    keys, question, coverage = source.standard_normal((triples, 4)), source.standard_normal(4), source.random(triples)
    found = candidates(question, keys, coverage, count)
    score = keys @ question + 0.5 * coverage
    assert len(found) == min(triples, count)
    np.testing.assert_allclose(score[found], np.sort(score)[::-1][:count])


def test_a_question_is_read_once_per_entity():
    reading = read("Who is the head of Linden House?", TABLE, Telling(TABLE))
    assert reading.texts[0] == "Who is the head of Linden House?"
    assert reading.texts[reading.which[0]] == "Who is the head of it?"
    assert reading.which[0] == reading.which[2] != reading.which[1]
    assert reading.group.tolist() == [0, 1, 0]
    assert reading.lexical.shape == (3, len(LEXICAL_FEATURES))
    assert reading.lexical.dtype == np.float32
    assert not np.allclose(reading.lexical[0], reading.lexical[1])


def test_readings_are_limited_in_number():
    table = [Triple(f"word{letter}", "p", "v") for letter in "abcdefghijklmnopqrst"]
    reading = read(" ".join(triple.entity for triple in table), table, Telling(table))
    assert len(reading.texts) <= RESIDUALS
    assert reading.which.max() < len(reading.texts)


def test_nothing_to_read_is_no_error():
    assert read("Who?", [], Telling()).lexical.shape == (0, len(LEXICAL_FEATURES))
    assert read("", TABLE, Telling(TABLE)).texts == [""]


def test_cosines_are_in_the_order_of_their_names():
    source = np.random.default_rng(0)
    question, reading = source.standard_normal(8), source.standard_normal((5, 8))
    named = {name: source.standard_normal((5, 8)) for name in ("key", "entity", "value", "property_", "statement", "expected")}
    familiar = source.standard_normal(5)
    found = cosines(question, reading, familiar=familiar, **named)
    assert found.shape == (5, len(COSINES))
    np.testing.assert_allclose(found[:, -1], familiar, rtol=1e-5)
    for place, name in enumerate(COSINES[:-1]):
        asked, held = name.split("-")
        one = {"question": question, "reading": reading, "expected": named["expected"]}[asked]
        np.testing.assert_allclose(found[:, place], (one * named[{"property": "property_"}.get(held, held)]).sum(-1), rtol=1e-5)


@torch.no_grad()
def test_order_and_padding_of_candidates_do_not_matter():
    network, inputs = prior(), random_inputs()
    logits = network(inputs)
    assert logits.std() > 0.001
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    torch.testing.assert_close(network(pick(inputs, slice(None), order)), logits[:, order], atol=1e-5, rtol=1e-4)
    inputs.padding[1, 4:] = True
    padded = network(inputs)
    assert (padded[1, 4:] == FLOOR).all()
    torch.testing.assert_close(padded[1:2, :4], network(pick(inputs, slice(1, 2), slice(0, 4))), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(padded[0], logits[0])


@torch.no_grad()
def test_logits_are_bounded():
    network, inputs = prior(), random_inputs()
    inputs.lexical *= 1e4
    logits = network(inputs)
    assert logits.abs().max() <= 10


def test_answerable_stands_against_nothing():
    assert answerable(torch.tensor([[0.0, -50.0]])).item() == pytest.approx(0.5)
    assert answerable(torch.full((1, 4), FLOOR)).item() < 0.001
    assert answerable(torch.tensor([[FLOOR, 6.0]])).item() > 0.99


def test_the_loss_prefers_the_right_triple_and_none_where_none_answers():
    gold = torch.tensor([[1, 0, 0], [0, 0, 0]])
    right = prior_loss(torch.tensor([[6.0, -6, -6], [-6.0, -6, -6]]), gold)
    wrong = prior_loss(torch.tensor([[-6.0, 6, -6], [6.0, -6, -6]]), gold)
    assert right.shape == (2,)
    assert (right < 0.05).all()
    assert (wrong > 5).all()
    two = prior_loss(torch.tensor([[6.0, 6, -6]]), torch.tensor([[1, 1, 0]]))
    assert two.item() < 0.05


def test_the_loss_falls_in_a_few_steps():
    torch.manual_seed(0)
    network, inputs = QuestionPrior(), random_inputs(24, 6)
    gold = torch.zeros(24, 6, dtype=torch.bool)
    gold[torch.arange(16), torch.arange(16) % 6] = True  # the last eight have no answer
    inputs.lexical[..., 0] = 0.2
    inputs.lexical[..., 0][gold] = 1.0
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = prior_loss(network(inputs), gold).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    logits = network.eval()(inputs)
    assert (logits.argmax(-1)[:16] == torch.arange(16) % 6).float().mean() > 0.9
    assert (answerable(logits)[16:] < 0.5).float().mean() > 0.9


def test_elsewhere_is_the_best_property_that_the_entity_has_not():
    table = [Triple("Thai", "tones", "five"), Triple("Welsh", "speakers", "900,000"), Triple("Welsh", "tones", "none")]
    found = read("How many speakers has Thai?", table, Telling(table))
    unit = np.eye(2, dtype=np.float32)
    speakers, tones = unit
    readings = np.stack([speakers] * len(found.texts))
    names = ["tones", "speakers", "Tones"]
    measured = elsewhere(found, readings, readings, names, property_=np.stack([tones, speakers, tones]), statement=np.stack([tones] * 3))
    assert measured.shape == (3, 2 * len(ELSEWHERE))
    assert measured[0].tolist() == [1, 0, 1, 1, 0, 1]  # Thai has no speakers, Welsh has, and both have tones
    assert not measured[1:].any()  # Welsh has every property there is
