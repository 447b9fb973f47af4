"""The attention seam: what holds for every supported family, with random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AttentionMaskInterface

from kblam_core import decoder
from kblam_core.attention import ATTENTION_NAME, LayerKnowledge, log_scale, rectangular_attention
from tests.core.tiny import HEAD_WIDTH, HEADS, LAYERS, VOCABULARY, tiny_adapter, tiny_model, token_ids, vectors

NEAR = {"atol": 1e-5, "rtol": 1e-4}
PRIOR = torch.tensor([[2.0, -1.0, 0.5, -3.0, 1.0]])


def knowledge_of(adapter, triples: int = 5, *, seed: int = 2, prior: torch.Tensor | None = PRIOR):
    keys, values = vectors(1, triples, seed=seed)
    return adapter.knowledge(keys, values, prior=prior)


@torch.no_grad()
def test_without_knowledge_the_base_is_the_base_bit_for_bit(family):
    model, ids = tiny_model(family), token_ids(2, 9)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    base = model(ids, attention_mask=mask, output_hidden_states=True)
    decoder.attach(model, tiny_adapter())
    off = model(ids, attention_mask=mask, output_hidden_states=True)
    none = model(ids, attention_mask=mask, knowledge=None)
    assert torch.equal(base.logits, off.logits)
    assert torch.equal(base.logits, none.logits)
    assert all(torch.equal(one, two) for one, two in zip(base.hidden_states, off.hidden_states, strict=True))


@torch.no_grad()
def test_knowledge_changes_the_answer_and_so_does_its_prior(attached):
    model, adapter = attached
    ids = token_ids(1, 7)
    base = model(ids).logits
    plain = model(ids, knowledge=knowledge_of(adapter, prior=None)).logits
    with_prior = model(ids, knowledge=knowledge_of(adapter)).logits
    assert (base - plain).abs().max() > 0.01
    assert (plain - with_prior).abs().max() > 0.001


@torch.no_grad()
def test_order_of_triples_does_not_matter(attached):
    model, adapter = attached
    ids, order = token_ids(1, 7), torch.tensor([3, 0, 4, 1, 2])
    keys, values = vectors(1, 5)
    one = model(ids, knowledge=adapter.knowledge(keys, values, prior=PRIOR)).logits
    two = model(ids, knowledge=adapter.knowledge(keys[:, order], values[:, order], prior=PRIOR[:, order])).logits
    torch.testing.assert_close(one, two, **NEAR)


@torch.no_grad()
def test_weights_sum_to_one_and_show_the_table_on_kb_layers_only(attached):
    model, adapter = attached
    ids = token_ids(1, 7)
    out = model(ids, knowledge=knowledge_of(adapter), output_attentions=True)
    for layer, weights in enumerate(out.attentions):
        assert weights.shape == (1, HEADS, 7, 7 + (5 if layer in LAYERS else 0))
        if hasattr(model.model.layers[layer].self_attn, "sinks"):
            assert (weights.sum(-1) < 0.999).any() and (weights.sum(-1) < 1.00001).all(), "the sink has its share"
        else:
            torch.testing.assert_close(weights.sum(-1), torch.ones(1, HEADS, 7))
        assert (weights >= 0).all()
    shares, mass = adapter.fact_shares(torch.stack([out.attentions[layer][..., :5] for layer in LAYERS]))
    torch.testing.assert_close(shares.sum(-1), torch.ones(1, 7))
    assert ((mass > 0) & (mass < 1)).all()


@torch.no_grad()
@pytest.mark.parametrize("prior", [None, torch.tensor([[1.5]])])
def test_copies_of_one_triple_weigh_as_much_as_one(attached, prior):
    model, adapter = attached
    ids = token_ids(1, 7)
    keys, values = vectors(1, 1)
    one = model(ids, knowledge=adapter.knowledge(keys, values, prior=prior)).logits
    copies = adapter.knowledge(keys.expand(-1, 40, -1), values.expand(-1, 40, -1), prior=None if prior is None else prior.expand(-1, 40))
    torch.testing.assert_close(one, model(ids, knowledge=copies).logits, **NEAR)


@torch.no_grad()
def test_padding_triples_change_nothing(attached):
    model, adapter = attached
    ids = token_ids(1, 7)
    keys, values = vectors(1, 5)
    alone = model(ids, knowledge=adapter.knowledge(keys, values, prior=PRIOR), output_attentions=True)
    rubbish, padding = vectors(1, 3, seed=9), torch.tensor([[False] * 5 + [True] * 3])
    keys, values = torch.cat([keys, rubbish[0]], 1), torch.cat([values, rubbish[1]], 1)
    padded = adapter.knowledge(keys, values, prior=torch.cat([PRIOR, torch.full((1, 3), 9.0)], 1), padding=padding)
    out = model(ids, knowledge=padded, output_attentions=True)
    torch.testing.assert_close(alone.logits, out.logits, **NEAR)
    assert all(out.attentions[layer][..., 5:8].abs().max() == 0 for layer in LAYERS)


@torch.no_grad()
def test_a_table_without_triples_is_no_table(attached):
    model, adapter = attached
    ids = token_ids(1, 7)
    torch.testing.assert_close(model(ids).logits, model(ids, knowledge=knowledge_of(adapter, 0, prior=None)).logits, **NEAR)
    keys, values = vectors(1, 2)
    all_padding = adapter.knowledge(keys, values, padding=torch.ones(1, 2, dtype=torch.bool))
    torch.testing.assert_close(model(ids).logits, model(ids, knowledge=all_padding).logits, **NEAR)


def _follows_later_tokens(model, knowledge) -> bool:
    ids = token_ids(1, 8)
    other = ids.clone()
    other[0, 5] = 3 + (other[0, 5] - 2) % (VOCABULARY - 3)
    with torch.no_grad():
        one, two = (model(tokens, knowledge=knowledge).logits for tokens in (ids, other))
    assert (one[:, 5:] - two[:, 5:]).abs().max() > 1e-4
    # Not bit for bit: a mixture of experts multiplies the tokens in other groups.
    return (one[:, :5] - two[:, :5]).abs().max() > 1e-5


@pytest.mark.parametrize("with_table", [False, True])
def test_a_later_token_changes_no_earlier_logits(attached, with_table):
    model, adapter = attached
    assert not _follows_later_tokens(model, knowledge_of(adapter) if with_table else None)


def test_forgetting_the_mask_registration_would_be_noticed(llama, monkeypatch):
    model, adapter = llama
    assert ATTENTION_NAME in AttentionMaskInterface._global_mapping
    monkeypatch.delitem(AttentionMaskInterface._global_mapping, ATTENTION_NAME)
    assert _follows_later_tokens(model, knowledge_of(adapter))


def test_log_scale_is_zero_at_a_hundred_facts_and_falls_with_more():
    scale = log_scale(torch.tensor([100, 1000, 1, 0]))
    assert scale.shape == (4, 1, 1, 1)
    assert scale.flatten().tolist() == pytest.approx([0.0, -2.302585, 4.605170, 4.605170], abs=1e-5)


def _module(groups: int) -> torch.nn.Module:
    module = torch.nn.Module().eval()
    module.num_key_value_groups = groups
    return module


@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_function_is_one_softmax_over_table_and_text(groups, softcap):
    torch.manual_seed(0)
    query, own = torch.randn(2, 1, HEADS, 6, HEAD_WIDTH)
    key, value = torch.randn(2, 1, HEADS // groups, 6, HEAD_WIDTH)
    keys, values = torch.randn(2, 1, HEADS, 3, HEAD_WIDTH)
    bias = torch.randn(1, HEADS, 6, 3)
    output, weights = rectangular_attention(
        _module(groups), query, key, value, None, scaling=0.3, softcap=softcap, knowledge=LayerKnowledge(own, keys, values, bias)
    )
    wide_key, wide_value = (part.repeat_interleave(groups, dim=1) for part in (key, value))

    def cap(scores):
        return scores if softcap is None else softcap * torch.tanh(scores / softcap)

    scores = torch.cat([cap(0.3 * own @ keys.mT) + bias, cap(0.3 * query @ wide_key.mT)], -1)
    expected = scores.softmax(-1)
    torch.testing.assert_close(weights, expected, **NEAR)
    torch.testing.assert_close(output, (expected @ torch.cat([values, wide_value], -2)).transpose(1, 2), **NEAR)
    assert output.shape == (1, 6, HEADS, HEAD_WIDTH)
    assert output.is_contiguous()


def test_half_width_numbers_come_back_in_their_own_width():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, HEADS, 6, HEAD_WIDTH)
    exact, _ = rectangular_attention(_module(1), query, key, value, None)
    half, _ = rectangular_attention(_module(1), query.bfloat16(), key.bfloat16(), value.bfloat16(), None)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(exact, half.float(), atol=0.03, rtol=0.03)


def test_knowledge_moves_as_a_whole(llama):
    knowledge = knowledge_of(llama[1], prior=None)
    moved = replace(knowledge, prior=PRIOR).to("meta")
    assert moved.keys.device.type == moved.prior.device.type == "meta"
    assert moved.padding is None
