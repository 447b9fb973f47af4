"""Training: samples by seed, losses that fall, and a killed run that goes on as it would have."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kblam_core import decoder
from kblam_core.answer import AskOptions
from kblam_core.errors import InputError
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.lexical import fold
from kblam_core.number_words import sense, spellings
from kblam_core.prior import COSINES, PriorInputs, QuestionPrior, prior_loss
from kblam_core.ranking import rank
from kblam_core.training import attention_stage
from kblam_core.training.attention_stage import forward, parameter_groups, train_attention
from kblam_core.training.batching import Batcher
from kblam_core.training.catalogue import load_catalogue
from kblam_core.training.config import TrainConfig
from kblam_core.training.generator import FAMILIES, KINDS, Generator, Sample, is_held_out
from kblam_core.training.padding import Padding
from kblam_core.training.prepared import Prepared, VectorPool, prepare
from kblam_core.training.prior_stage import collate, judge_prior, read_across, train_prior
from kblam_core.training.wording import Wording, shared_words
from tests.core.tiny import HashEncoder, tiny_adapter, tiny_model


def draw(seed: int, tables: int = 12, **options) -> list[Sample]:
    generator = Generator(seed, max_triples=options.pop("max_triples", 16), **options)
    return [sample for _ in range(tables) for sample in generator.samples(6)]


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample for seed in range(4) for sample in draw(seed, 25, max_triples=60)]


@pytest.fixture(scope="module")
def data() -> tuple[list[Prepared], VectorPool]:
    pool = VectorPool(HashEncoder())
    prepared = prepare(draw(11, 16), pool)
    read_across(prepared, None, pool.encoder)
    return prepared, pool


# ------------------------------------------------------------------------------------------------------------------- generator
def test_a_seed_gives_the_same_samples_again():
    assert draw(3) == draw(3)
    assert draw(3) != draw(4)
    assert draw(3, held_out=True) != draw(3)


def test_every_kind_is_drawn(samples):
    assert {sample.kind for sample in samples} == set(KINDS)
    answered = sum(bool(sample.gold) for sample in samples) / len(samples)
    assert 0.45 < answered < 0.8


def test_gold_holds_what_was_asked(samples):
    for sample in samples:
        assert all(triple.entity and triple.property and triple.value for triple in sample.triples)
        assert sample.question.strip()
        held = [sample.triples[row] for row in sample.gold]
        assert len(held) == {"answerable": 1, "two_facts": 2}.get(sample.kind, 0)
        if held:
            assert (held[0].entity, held[0].property) == (sample.entity, sample.property)


def test_what_must_be_refused_is_not_in_the_table(samples):
    for sample in samples:
        if not sample.gold and sample.kind != "unrelated":
            asked = (sample.entity.casefold(), sample.property.casefold())
            assert all((triple.entity.casefold(), triple.property.casefold()) != asked for triple in sample.triples), sample
        if sample.kind in ("missing_entity", "near_miss"):
            assert all(triple.entity.casefold() != sample.entity.casefold() for triple in sample.triples), sample


def test_no_table_holds_a_property_of_an_entity_twice(samples):
    for sample in samples:
        pairs = [(triple.entity.casefold(), triple.property.casefold()) for triple in sample.triples]
        assert len(pairs) == len(set(pairs))


def test_tables_differ_in_size(samples):
    sizes = {len(sample.triples) for sample in samples}
    assert min(sizes) <= 3
    assert 30 <= max(sizes) <= 60


def test_held_out_entities_are_kept_out_of_the_tables(samples):
    assert not [triple.entity for sample in samples for triple in sample.triples if is_held_out(triple.entity)]


def test_held_out_tables_hold_no_entity_of_training():
    held = [triple.entity for sample in draw(1, 25, held_out=True) for triple in sample.triples]
    assert not [entity for entity in held if not is_held_out(entity)]


@pytest.mark.parametrize("kind", ["missing_entity", "near_miss"])
def test_held_out_entities_are_not_asked_for_in_training(samples, kind):
    assert not [sample.entity for sample in samples if sample.kind == kind and is_held_out(sample.entity)]


# ----------------------------------------------------------------------------------------------------------------------- prior
def test_prepared_questions_keep_their_answer_among_the_candidates(data):
    prepared, _ = data
    for item in prepared:
        assert item.gold.sum() == len(item.sample.gold)
        assert len(item.key_all) == len(item.sample.triples)
    inputs, gold = collate(prepared[:5])
    assert inputs.cosines.shape == (*gold.shape, len(COSINES))
    assert (~inputs.padding).sum(1).tolist() == [len(item.rows) for item in prepared[:5]]
    assert not (gold & inputs.padding).any()


def test_training_measures_what_asking_measures(data, monkeypatch):
    prepared, pool = data
    adapter = tiny_adapter()
    seen: list[PriorInputs] = []
    monkeypatch.setattr(adapter.prior, "forward", lambda inputs: seen.append(inputs) or torch.zeros(inputs.padding.shape))
    for item in prepared[::3]:
        kb = KnowledgeBase(pool.encoder, item.sample.triples)
        if kb.mended(item.sample.question) != item.sample.question:
            continue  # slips stay in while training
        rank(kb, item.sample.question, encoder=pool.encoder, adapter=adapter, options=AskOptions())
        asked = seen.pop()
        assert torch.equal(asked.group[0], torch.from_numpy(item.group))
        assert torch.equal(asked.lexical[0], torch.from_numpy(item.lexical))
        assert torch.allclose(asked.cosines[0], torch.from_numpy(item.cosines), atol=3e-3)  # the pool keeps half-width numbers
        assert torch.allclose(asked.elsewhere[0], torch.from_numpy(item.elsewhere), atol=3e-3)


def test_training_the_prior_lowers_its_loss(data):
    prepared, _ = data
    torch.manual_seed(0)
    prior = QuestionPrior()
    inputs, gold = collate(prepared)
    before = prior_loss(prior.eval()(inputs), gold).mean().item()
    seen = len(prepared) + sum(item.sample.kind == "near_miss" for item in prepared)  # those twice
    assert train_prior(prior, prepared, epochs=6, batch_size=16, rate=5e-3) == 6 * (seen // 16)
    assert prior_loss(prior(inputs), gold).mean().item() < 0.8 * before
    assert 0 <= judge_prior(prior, prepared)["all"] <= 1


# ------------------------------------------------------------------------------------------------------------------- attention
def setup(tokenizer, folder: Path, family: str = "llama", **settings):
    model, adapter = tiny_model(family), tiny_adapter()
    decoder.attach(model, adapter)
    usual = {"steps": 8, "batch_size": 4, "max_triples": 16, "questions": 48, "prior_drop": 0.3}
    return model, adapter, TrainConfig(out=folder, **(usual | settings))


def run(tokenizer, data, folder: Path, **settings) -> list[float]:
    """Train for some steps; the losses from metrics.jsonl."""
    model, adapter, config = setup(tokenizer, folder, **settings)
    train_attention(adapter, model, tokenizer, *data, config, deadline=time.monotonic() + 10_000)
    return [json.loads(line)["total"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def interrupted(tokenizer, data, folder: Path, at: int, **settings) -> list[float]:
    """As run(), but killed after `at` steps and taken up again by new objects."""
    model, adapter, config = setup(tokenizer, folder, **settings)

    def stop(step: int, losses) -> None:
        if step == at + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_attention(adapter, model, tokenizer, *data, config, deadline=time.monotonic() + 10_000, report=stop)
    return run(tokenizer, data, folder, **settings)


def test_steps_lower_the_loss_and_leave_the_base_alone(tokenizer, data, family):
    torch.manual_seed(0)
    model, adapter, config = setup(tokenizer, Path("unused"), family)
    base = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    prior = {name: tensor.clone() for name, tensor in adapter.prior.state_dict().items()}
    batch = Batcher(tokenizer, data[1], adapter, max_triples=16, seed=0)(data[0][:4])
    optimizer = torch.optim.AdamW(parameter_groups(adapter, config), weight_decay=0.0)
    losses = []
    for _ in range(20):
        made = forward(adapter, model, batch, with_prior=True, weight=0.2)
        optimizer.zero_grad()
        made.total.backward()
        optimizer.step()
        losses.append(made.total.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(torch.equal(tensor, base[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, prior[name]) for name, tensor in adapter.prior.state_dict().items())


def test_every_part_but_the_prior_is_trained(tokenizer, data, tmp_path):
    _, adapter, config = setup(tokenizer, tmp_path)
    trained = {id(parameter) for group in parameter_groups(adapter, config) for parameter in group["params"]}
    left = {name.split(".")[0] for name, parameter in adapter.named_parameters() if id(parameter) not in trained}
    assert left == {"prior"}


@pytest.mark.parametrize("with_prior", [True, False])
def test_losses_of_a_batch_do_not_depend_on_its_padding(tokenizer, data, with_prior):
    model, adapter, _ = setup(tokenizer, Path("unused"))
    batcher = Batcher(tokenizer, data[1], adapter, max_triples=16, seed=0)
    items = [item for item in data[0] if item.sample.kind == "answerable"][:3]
    with torch.no_grad():
        together = forward(adapter, model, batcher(items), with_prior=with_prior, weight=0.2)
        alone = [forward(adapter, model, batcher([item]), with_prior=with_prior, weight=0.2) for item in items]
        lengths = [batcher([item]).target_mask.sum().item() for item in items]
    for name, extra in (("answer", 3), ("own", 3), ("attention", -1)):
        weights = torch.tensor([length + extra for length in lengths])
        mean = sum(w * getattr(one, name) for w, one in zip(weights, alone, strict=True)) / weights.sum()
        torch.testing.assert_close(getattr(together, name), mean, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("max_triples", [16, 5])  # all of a table's facts, or some that are drawn
def test_a_resumed_run_goes_on_as_the_uninterrupted_one(tokenizer, data, tmp_path, monkeypatch, max_triples):
    monkeypatch.setattr(attention_stage, "CHECKPOINT_EVERY", 3)
    data = [item for item in data[0] if len(item.key_all) > 5], data[1]
    whole = run(tokenizer, data, tmp_path / "whole", max_triples=max_triples)
    assert len(whole) == 8
    assert run(tokenizer, data, tmp_path / "whole", max_triples=max_triples) == whole, "a finished run makes no more steps"
    parts = interrupted(tokenizer, data, tmp_path / "parts", 3, max_triples=max_triples)
    assert parts[:3] == whole[:3]
    assert parts[-5:] == pytest.approx(whole[3:], abs=2e-4)


def test_tables_larger_than_the_limit_keep_their_answers(tokenizer, data):
    batcher = Batcher(tokenizer, data[1], tiny_adapter(), max_triples=3, seed=0)
    wide = [item for item in data[0] if len(item.key_all) > 3 and item.sample.gold]
    assert {item.sample.kind for item in wide} == {"answerable", "two_facts"}
    for item in wide:
        gold = batcher([item]).gold[0]
        assert gold.shape[-1] == 3
        assert gold.any(0).sum() == len(item.sample.gold)


def test_settings_out_of_range_are_refused_in_words(tmp_path):
    config = TrainConfig(out=tmp_path)
    for change in ({"steps": 0}, {"time_limit": float("nan")}, {"prior_drop": 1.5}, {"stage": "third"}, {"map_rate": -1.0}):
        with pytest.raises(InputError, match=next(iter(change))):
            replace(config, **change)
    assert config.layers(30) == (12, 15, 18, 21, 24, 27)
    assert "out" not in config.card()
    json.dumps(config.card())


# --------------------------------------------------------------------------------------------------------------------- wordings
def test_a_word_that_most_names_share_is_found_and_may_be_said_otherwise():
    names = {f"HTTP {code}" for code in range(400, 420)}
    assert shared_words("HTTP 404", names) == {"http"}
    assert shared_words("HTTP 404", {"HTTP 404", "IMAP"}) == set()
    assert shared_words("Halden Mill", {"Halden Mill", "Linden House", "Osprey Tower"}) == set()
    wording = Wording(random.Random(1))
    said = {wording.mention("HTTP 404", names - {"HTTP 404"}) for _ in range(400)}
    assert {"404", "code 404", "the 404", "HTTP 404"} <= said
    assert all("404" in one for one in said)


def test_a_long_name_is_said_by_a_part_that_names_nothing_else():
    wording = Wording(random.Random(1))
    others = {"Halvorsen Logistics lease", "Brightwater Foods supply agreement"}
    said = {wording.mention("Halvorsen Shipping framework agreement", others, "contract") for _ in range(2000)}
    assert {"Shipping", "Shipping contract", "H. Shipping framework agreement", "Hal Shipping framework agreement"} <= said
    assert not {"Halvorsen", "agreement", "Halvorsen contract"} & said  # would name another, too
    people = {wording.mention("Ayşe Yıldız", {"Emre Demir"}, "employee") for _ in range(2000)}
    assert {"Ms Yıldız", "A. Yıldız", "Yıldız", "Ayse Yildiz"} <= people


def test_large_tables_hold_more_that_could_not_be_meant():
    padding = Padding(3, facts=600)
    drawn = Generator(1, max_triples=40).samples(12)
    filled = padding.fill(drawn)
    assert [sample.question for sample in filled] == [sample.question for sample in drawn]
    for before, after in zip(drawn, filled, strict=True):
        assert after.triples[: len(before.triples)] == before.triples and after.gold == before.gold
        added = after.triples[len(before.triples) :]
        assert len(added) > 150
        named = {name.casefold() for name in (before.entity, *(triple.entity for triple in before.triples))}
        assert not {triple.entity.casefold() for triple in added} & named
    pool = VectorPool(HashEncoder())
    for item in prepare(filled, pool):
        assert item.gold.any() == bool(item.sample.gold)
        if len(item.sample.triples) <= 48:  # only the candidates of a large table are kept
            assert item.rows.tolist() == list(range(len(item.sample.triples)))


def test_numbers_are_said_in_words_too():
    wording = Wording(random.Random(1))
    said = {wording.mention("Apollo 7", {"Apollo 8"}) for _ in range(400)}
    assert {"Apollo seven", "Apollo seventh", "Apollo VII", "Apollo 7th"} <= said
    for number in range(2, 21):
        assert {sense(fold(word)) for word in spellings(str(number))} == {str(number)}
    assert spellings("1") == spellings("21") == spellings("x") == ()


def test_families_share_a_word_and_a_near_miss_keeps_it(monkeypatch):
    monkeypatch.setattr("kblam_core.training.generator.FAMILY_SHARE", 1.0)
    near = 0
    for sample in draw(1, 40, max_triples=60, domains=load_catalogue()[:1]):
        names = {one.entity for one in sample.triples}
        if len(names) < 3:
            continue
        (shared,) = {name.split()[0] for name in names if name.split()[0] in FAMILIES} or {""}
        if sample.kind == "near_miss" and shared:
            near += 1
            assert shared.casefold() in sample.entity.casefold().split()
    assert near
