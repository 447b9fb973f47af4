"""Attaching the KB branch: caching, padding, batches of tables, gradients, generate, detach."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache

from kblam_core import decoder
from kblam_core.attention import ATTENTION_NAME
from kblam_core.errors import UnsupportedModelError
from tests.core.tiny import HEAD_WIDTH, HEADS, LAYERS, tiny_adapter, tiny_model, token_ids, vectors

NEAR = {"atol": 2e-5, "rtol": 1e-4}


def knowledge_of(adapter, triples: int = 5, *, seed: int = 2):
    keys, values = vectors(1, triples, seed=seed)
    prior = 2 * torch.randn(1, triples, generator=torch.Generator().manual_seed(seed))
    return adapter.knowledge(keys, values, prior=prior)


@torch.no_grad()
def test_cached_decoding_equals_one_pass(attached):
    model, adapter = attached
    ids, knowledge = token_ids(1, 12), knowledge_of(adapter)
    whole = model(ids, knowledge=knowledge).logits
    cache = DynamicCache(config=model.config)
    pieces = [model(part, past_key_values=cache, use_cache=True, knowledge=knowledge).logits for part in ids.split([6, 1, 4, 1], 1)]
    torch.testing.assert_close(whole, torch.cat(pieces, 1), **NEAR)
    assert cache.get_seq_length() == 12, "knowledge must not enter the cache"


@torch.no_grad()
def test_a_rejected_draft_can_be_cropped_from_the_cache(attached):
    model, adapter = attached
    ids, knowledge = token_ids(1, 12), knowledge_of(adapter)
    cache = DynamicCache(config=model.config)
    model(ids[:, :6], past_key_values=cache, use_cache=True, knowledge=knowledge)
    model(token_ids(1, 4, seed=77), past_key_values=cache, use_cache=True, knowledge=knowledge)
    cache.crop(-4)
    rest = model(ids[:, 6:], past_key_values=cache, use_cache=True, knowledge=knowledge).logits
    torch.testing.assert_close(model(ids, knowledge=knowledge).logits[:, 6:], rest, **NEAR)


@torch.no_grad()
def test_a_padded_row_with_its_own_table_equals_the_row_alone(attached):
    model, adapter = attached
    short, long = token_ids(1, 6), token_ids(1, 9, seed=4)
    few, many = vectors(1, 3, seed=5), vectors(1, 5, seed=6)
    prior = torch.tensor([[1.0, -2.0, 3.0, 0.0, 0.0], [0.5, 2.0, -1.0, 1.0, 0.0]])
    ids = torch.cat([torch.cat([torch.zeros(1, 3, dtype=torch.long), short], 1), long])
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    keys, values = (torch.cat([torch.nn.functional.pad(one, (0, 0, 0, 2)), two]) for one, two in zip(few, many, strict=True))
    padding = torch.tensor([[False] * 3 + [True] * 2, [False] * 5])
    both = model(
        ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        knowledge=adapter.knowledge(keys, values, prior=prior, padding=padding),
    ).logits
    first = model(short, knowledge=adapter.knowledge(*few, prior=prior[:1, :3])).logits
    second = model(long, knowledge=adapter.knowledge(*many, prior=prior[1:])).logits
    torch.testing.assert_close(both[:1, 3:], first, **NEAR)
    torch.testing.assert_close(both[1:], second, **NEAR)


@torch.no_grad()
def test_two_tables_on_one_model_do_not_mix(attached):
    model, adapter = attached
    ids = token_ids(1, 8)
    one, two = knowledge_of(adapter, 4, seed=10), knowledge_of(adapter, 6, seed=11)
    caches = [DynamicCache(config=model.config) for _ in range(2)]
    parts = [[], []]
    for piece in ids.split(2, 1):  # turn by turn, as two visitors do
        for place, knowledge in enumerate((one, two)):
            parts[place].append(model(piece, past_key_values=caches[place], use_cache=True, knowledge=knowledge).logits)
    for place, knowledge in enumerate((one, two)):
        torch.testing.assert_close(torch.cat(parts[place], 1), model(ids, knowledge=knowledge).logits, **NEAR)
    assert (torch.cat(parts[0], 1) - torch.cat(parts[1], 1)).abs().max() > 0.01
    decoder.detach(model)
    decoder.attach(model, adapter)
    assert torch.equal(model(ids).logits, model(ids, knowledge=None).logits), "nothing stays behind"


def test_the_frozen_base_gets_no_gradient_but_the_adapter_does(attached):
    model, adapter = attached
    keys, values = vectors(1, 5)
    prior = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    model(token_ids(1, 7), knowledge=adapter.knowledge(keys, values, prior=prior)).logits.square().mean().backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    parts = ("key_map", "value_map", "query_heads", "prior_scale", "prior_offset")
    for name, parameter in adapter.named_parameters():
        if name.startswith(parts) and not name.startswith("key_map.bias"):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_adapter_parameters_are_not_the_models(attached):
    model, adapter = attached
    own = {id(parameter) for parameter in model.parameters()}
    assert not own & {id(parameter) for parameter in adapter.parameters()}


def test_gradient_checkpointing_gives_the_same_gradients(attached):
    model, adapter = attached
    ids = token_ids(1, 7)
    keys, values = vectors(1, 5)

    def gradients() -> list[torch.Tensor]:
        adapter.zero_grad()
        loss = model(ids, knowledge=adapter.knowledge(keys, values), use_cache=False).logits.square().mean()
        loss.backward()
        return [loss.detach(), *(p.grad.clone() for p in adapter.query_heads.parameters()), adapter.value_map.weight.grad.clone()]

    plain = gradients()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    assert model.is_gradient_checkpointing
    for one, two in zip(plain, gradients(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_generate_accepts_knowledge_and_is_the_argmax_loop(attached):
    model, adapter = attached
    ids, knowledge = token_ids(1, 5), knowledge_of(adapter)
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    made = model.generate(ids, attention_mask=torch.ones_like(ids), knowledge=knowledge, **settings)
    by_hand = ids
    with torch.no_grad():
        for _ in range(6):
            by_hand = torch.cat([by_hand, model(by_hand, knowledge=knowledge).logits[:, -1:].argmax(-1)], 1)
    assert made.tolist() == by_hand.tolist()
    without = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
    assert without.shape == made.shape
    assert without.tolist() != made.tolist()


def test_attaching_twice_is_refused(attached):
    model, adapter = attached
    with pytest.raises(UnsupportedModelError, match="already attached"):
        decoder.attach(model, adapter)


@torch.no_grad()
def test_detach_gives_the_base_back(family):
    model, adapter, ids = tiny_model(family), tiny_adapter(), token_ids(1, 7)
    base = model(ids).logits
    decoder.attach(model, adapter)
    assert model.config._attn_implementation == ATTENTION_NAME
    assert not torch.equal(model(ids, knowledge=knowledge_of(adapter)).logits, base)
    decoder.detach(model)
    assert model.config._attn_implementation == "eager"
    assert torch.equal(model(ids).logits, base)
    assert not any(module._forward_pre_hooks for module in decoder.attention_modules(model))
    with pytest.raises((TypeError, ValueError)):
        model.generate(ids, max_new_tokens=1, knowledge=knowledge_of(adapter))
    decoder.attach(model, adapter)  # and again


def test_detach_of_a_model_that_was_never_attached_does_nothing_bad():
    model = tiny_model()
    decoder.detach(model)
    assert model(token_ids(1, 3)).logits.shape[1] == 3


def test_an_adapter_for_a_deeper_model_is_refused():
    with pytest.raises(UnsupportedModelError, match="layer 7, but the model has 3 layers"):
        decoder.attach(tiny_model(), tiny_adapter(layers=(0, 7)))


def test_a_model_of_another_shape_is_refused():
    with pytest.raises(UnsupportedModelError, match="Linear keeps its layers elsewhere"):
        decoder.attention_modules(torch.nn.Linear(2, 2))
    with pytest.raises(UnsupportedModelError, match="neither q_proj nor qkv_proj"):
        decoder.query_weight(torch.nn.Linear(2, 2), 2)


def test_query_heads_start_from_the_layers_own_queries(family):
    model, adapter = tiny_model(family), tiny_adapter()
    modules = decoder.attention_modules(model)
    weights = [decoder.query_weight(modules[layer], HEADS * HEAD_WIDTH) for layer in LAYERS]
    adapter.start_queries_from(weights)
    for head, layer in zip(adapter.query_heads, LAYERS, strict=True):
        assert head.weight.shape == (HEADS * HEAD_WIDTH, 32)
        assert head.weight.requires_grad
        own = getattr(modules[layer], "q_proj", None) or modules[layer].qkv_proj
        assert torch.equal(head.weight, own.weight[: HEADS * HEAD_WIDTH])


@torch.no_grad()
def test_output_logits_are_the_models_own(attached):
    model, _ = attached
    ids = token_ids(2, 5)
    out = model(ids, output_hidden_states=True)
    logits = decoder.output_logits(model, out.hidden_states[-1].flatten(0, 1))
    torch.testing.assert_close(logits, out.logits.flatten(0, 1), **NEAR)


def test_kb_layers_are_every_third():
    assert tuple(decoder.kb_layers(10)) == (0, 3, 6, 9)
    assert tuple(decoder.kb_layers(10, every=4, first=1)) == (1, 5, 9)
