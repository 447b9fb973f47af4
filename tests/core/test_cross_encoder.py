"""The cross-encoder: it starts as the sentence encoder's own upper layers, pads and orders without effect, and learns."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from kblam_core.cross_encoder import PAIRS_AT_ONCE, CrossEncoder, CrossShape
from kblam_core.prior import statement
from kblam_core.training import cross_stage
from kblam_core.training.catalogue import load_catalogue
from kblam_core.training.cross_stage import PEOPLE, PairMaker, cross_loss, is_left_out, train_cross
from kblam_core.training.people import load_people
from tests.core.tiny import ENCODER_WIDTH, HashEncoder

SHAPE = CrossShape(below=1, layers=2, heads=4, inner=32)
QUESTIONS = ["Who runs it?", "When was it built, and by whom?", "it height", "phone of it"]
FACTS = ["The head of it is Ann.", "The year of it is 1904.", "The height of it is 12 m.", "The colour of it is a rather dark blue."]


class TokenHashes(HashEncoder):
    """As HashEncoder, with one state a word."""

    def token_states(self, texts: Sequence[str], below: int, tokens: int) -> list[torch.Tensor]:
        assert below == SHAPE.below
        return [torch.from_numpy(self.encode(text.split()[:tokens])) for text in texts]


def bert() -> BertModel:
    torch.manual_seed(0)
    size = {"hidden_size": ENCODER_WIDTH, "intermediate_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    return BertModel(BertConfig(vocab_size=50, **size)).eval()


def cross(*, strong: bool = True) -> CrossEncoder:
    torch.manual_seed(1)
    made = CrossEncoder(ENCODER_WIDTH, SHAPE).eval()
    made.start_from(bert().encoder.layer[SHAPE.below :])
    if strong:  # its own voice starts at zero
        with torch.no_grad():
            made.second.weight.normal_()
            made.part.weight.normal_()
    return made


def test_it_starts_as_the_upper_layers_of_the_encoder():
    body, made = bert(), cross(strong=False)
    states = torch.randn(3, 7, ENCODER_WIDTH)
    expected = states
    for layer in body.encoder.layer[SHAPE.below :]:
        out = layer(expected)
        expected = out[0] if isinstance(out, tuple) else out
    found = states
    for layer in made.layers:
        found = layer(found)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_before_training_it_says_what_the_cosine_says():
    encoder, made = TokenHashes(), cross(strong=False)
    cosine = (encoder.encode(QUESTIONS) * encoder.encode(FACTS)).sum(-1)
    np.testing.assert_allclose(made.logits(encoder, QUESTIONS, FACTS).numpy(), 12 * cosine - 7, atol=1e-4)


@torch.no_grad()
def test_a_pair_reads_the_same_alone_in_a_batch_and_in_any_order():
    encoder, made = TokenHashes(), cross()
    together = made.logits(encoder, QUESTIONS, FACTS)
    assert together.std() > 0.05
    alone = torch.cat([made.logits(encoder, [question], [fact]) for question, fact in zip(QUESTIONS, FACTS, strict=True)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    backwards = made.logits(encoder, QUESTIONS[::-1], FACTS[::-1]).flip(0)
    torch.testing.assert_close(together, backwards, atol=1e-5, rtol=1e-4)
    many = made.logits(encoder, QUESTIONS * PAIRS_AT_ONCE, FACTS * PAIRS_AT_ONCE)
    torch.testing.assert_close(many, together.repeat(PAIRS_AT_ONCE), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_words_order_and_side_count():
    encoder, made = TokenHashes(), cross()
    one, other = made.logits(encoder, ["built by it"], ["it was sold"]), made.logits(encoder, ["it was sold"], ["built by it"])
    assert abs(float(one - other)) > 1e-3


def test_pairs_are_drawn_by_the_seed_and_hold_what_is_asked():
    domains = [domain for domain in load_catalogue() if not is_left_out(domain)][:4]

    def draw() -> list:
        maker = PairMaker(domains, HashEncoder(), seed=3, facts=5)
        return [maker.draw() for _ in range(200)]

    drawn = draw()
    assert draw() == drawn
    for pairs in drawn:
        assert 1 <= len(pairs.facts) <= 5
        assert len(set(pairs.facts)) == len(pairs.facts)
        assert "{e}" not in pairs.question
        assert pairs.question.strip()
    assert 0.6 < sum(pairs.answered for pairs in drawn) / len(drawn) < 0.8


def test_people_ask_their_share_and_a_restored_maker_goes_on_with_it():
    domains, tables = list(load_catalogue()[:3]), load_people()[:2]
    maker, again = (PairMaker(domains, HashEncoder(), seed=3, facts=5, people=tables) for _ in range(2))
    known = {statement(triple) for table in tables for triple in table.triples}
    drawn = [maker.draw() for _ in range(400)]
    assert 0.5 * PEOPLE < sum(set(pairs.facts) <= known for pairs in drawn) / len(drawn) < 1.5 * PEOPLE
    saved = copy.deepcopy(maker.state())  # as written to a file
    ahead = [maker.draw() for _ in range(50)]
    again.restore(saved)
    assert [again.draw() for _ in range(50)] == ahead


def test_one_domain_in_eight_is_left_out_for_the_prior():
    domains = load_catalogue()
    assert 0.06 < sum(map(is_left_out, domains)) / len(domains) < 0.2


def test_the_loss_prefers_the_asked_fact_and_none_where_none_answers():
    real = torch.tensor([[True, True, False], [True, True, True]])
    answered = torch.tensor([True, False])
    right = cross_loss(torch.tensor([[8.0, -8, 50], [-8.0, -8, -8]]), answered, real)
    wrong = cross_loss(torch.tensor([[-8.0, 8, 50], [8.0, -8, -8]]), answered, real)
    assert right < 0.01
    assert wrong > 5


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_training_lowers_the_loss(dtype):
    losses: list[float] = []
    made, domains = cross(strong=False), list(load_catalogue()[:2])
    steps = train_cross(
        made,
        TokenHashes(),
        steps=240,
        batch_size=8,
        facts=4,
        rate=3e-3,
        domains=domains,
        dtype=dtype,
        report=lambda _, loss: losses.append(loss),
    )
    assert steps == len(losses) == 240
    assert sum(losses[-40:]) < 0.85 * sum(losses[:40])


def test_a_resumed_run_goes_on_as_the_uninterrupted_one(tmp_path, monkeypatch):
    monkeypatch.setattr(cross_stage, "CHECKPOINT_EVERY", 3)
    options = {"steps": 8, "batch_size": 4, "facts": 4, "domains": list(load_catalogue()[:2]), "checkpoint": tmp_path / "cross.pt"}

    def train(stop: int | None = None, **changes) -> tuple[dict[int, float], CrossEncoder]:
        losses: dict[int, float] = {}

        def report(step: int, loss: float) -> None:
            losses[step] = loss
            if step == stop:
                raise KeyboardInterrupt

        made = cross(strong=False)
        with contextlib.suppress(KeyboardInterrupt):
            train_cross(made, TokenHashes(), report=report, **options | changes)
        return losses, made

    whole, expected = train(checkpoint=None)
    first, _ = train(stop=5)
    rest, made = train()
    assert list(first) == [1, 2, 3, 4, 5] and list(rest) == [4, 5, 6, 7, 8], "it goes on after the checkpoint"
    assert first | rest == pytest.approx(whole, abs=1e-5)
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(made.state_dict()[name], tensor, atol=1e-6, rtol=0)
    assert min(train(seed=1)[0]) == 1, "a checkpoint of another seed is not taken up"
