"""The seam between model and adapter is tried at load: what fits passes and is left as it was, what does not is refused with the reason."""

from __future__ import annotations

import pytest
import torch
from transformers import AttentionInterface, AutoModelForCausalLM, DeepseekV3Config, Qwen3Config

from kblam_core import attention, decoder, model
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.attention import ATTENTION_NAME
from kblam_core.errors import UnsupportedModelError
from kblam_core.model import Kblam
from kblam_core.seam_check import check_seam
from kblam_core.training import loop
from kblam_core.training.config import TrainConfig
from tests.core.tiny import (
    COMMON,
    ENCODER_WIDTH,
    HEAD_WIDTH,
    HEADS,
    LAYERS,
    WIDTH,
    HashEncoder,
    byte_tokenizer,
    tiny_adapter,
    tiny_model,
    token_ids,
)


def latent() -> torch.nn.Module:
    """A tiny DeepSeek-V3."""
    config = DeepseekV3Config(
        **COMMON | {"num_key_value_heads": HEADS},
        q_lora_rank=16,
        kv_lora_rank=16,
        qk_rope_head_dim=4,
        qk_nope_head_dim=8,
        v_head_dim=8,
        first_k_dense_replace=3,
        n_routed_experts=4,
        n_group=1,
        topk_group=1,
        num_experts_per_tok=2,
    )
    return AutoModelForCausalLM.from_config(config).eval()


def test_every_family_passes_and_stays_as_it_was(attached):
    model, adapter = attached
    ids, state = token_ids(1, 5), torch.get_rng_state()
    before = model(ids).logits
    check_seam(model, adapter)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model(ids).logits, before)
    assert model.config._attn_implementation == ATTENTION_NAME
    assert all(len(module._forward_pre_hooks) == 1 for module in decoder.attention_modules(model))


def test_every_family_passes_with_a_fresh_adapter_and_in_half_width(family):
    model = tiny_model(family).bfloat16()
    adapter = KblamAdapter(AdapterConfig("tiny", "hashes", ENCODER_WIDTH, WIDTH, HEADS, HEAD_WIDTH, LAYERS))
    decoder.attach(model, adapter)
    check_seam(model, adapter)


@pytest.fixture
def without_sinks(monkeypatch):
    """Our attention as it was before it knew of sinks."""

    def forgetful(*args, s_aux=None, **kwargs):
        return attention.rectangular_attention(*args, **kwargs)

    monkeypatch.setattr(decoder, "register", lambda: AttentionInterface.register(ATTENTION_NAME, forgetful))
    yield
    attention.register()


def test_a_part_of_attention_that_is_left_out_is_found(without_sinks):
    model, adapter = tiny_model("gpt_oss"), tiny_adapter()
    decoder.attach(model, adapter)
    with pytest.raises(UnsupportedModelError, match=r"GptOssForCausalLM does not compute the same .* a part that KBLaM does not know"):
        check_seam(model, adapter)


def test_a_lost_causal_mask_is_found(llama):
    model, adapter = llama
    for module in decoder.attention_modules(model):  # the base loses it too: that it is the base is not enough
        module.register_forward_pre_hook(lambda _, args, kwargs: (args, kwargs | {"attention_mask": None}), with_kwargs=True)
    with pytest.raises(UnsupportedModelError, match="not causal here"):
        check_seam(model, adapter)


def test_attention_that_drops_knowledge_is_found(llama, monkeypatch):
    model, adapter = llama
    monkeypatch.setattr(decoder, "_hook", lambda adapter, slot: lambda _, args, kwargs: (args, {**kwargs, "knowledge": None}))
    with pytest.raises(UnsupportedModelError, match="does not read knowledge in its KB layers"):
        check_seam(model, adapter)


def test_logits_that_training_would_get_wrong_are_found(llama):
    model, adapter = llama
    forward = model.forward

    def halved(*args, **kwargs):
        out = forward(*args, **kwargs)
        out.logits = out.logits / 2
        return out

    model.forward = halved
    with pytest.raises(UnsupportedModelError, match="does something to its logits"):
        check_seam(model, adapter)


def test_a_model_that_breaks_with_knowledge_is_refused_in_words(llama):
    model, adapter = llama
    model.model.layers[0].self_attn.forward = lambda hidden_states, position_embeddings, attention_mask: None
    with pytest.raises(UnsupportedModelError, match=r"LlamaForCausalLM cannot be run with a KB branch: .*unexpected keyword"):
        check_seam(model, adapter)


def test_latent_attention_is_refused_with_the_reason():
    with pytest.raises(UnsupportedModelError, match=r"DeepseekV3ForCausalLM has multi-head latent attention \(MLA\).*without MLA"):
        decoder.attach(latent(), tiny_adapter())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"heads": 2, "head_width": 16}, "has 2 heads of width 16, the model has 4 of width 8 in layer 0"),
        ({"heads": 8}, "has 8 heads of width 8"),
        ({"hidden": 64}, "fits a model of width 64, but this one has width 32"),
    ],
)
def test_an_adapter_with_other_heads_is_refused(change, words):
    shape = {"encoder_width": ENCODER_WIDTH, "hidden": WIDTH, "heads": HEADS, "head_width": HEAD_WIDTH, "layers": LAYERS}
    adapter, model = KblamAdapter(AdapterConfig("tiny", "hashes", **shape | change)), tiny_model()
    decoder.attach(model, adapter)
    with pytest.raises(UnsupportedModelError, match=words):
        check_seam(model, adapter)


def test_heads_that_are_wider_than_the_model_fit():
    """Qwen3 and others: heads x head width is more than the model's width."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(Qwen3Config(**COMMON, head_dim=16)).eval()
    adapter = KblamAdapter(AdapterConfig("tiny", "hashes", ENCODER_WIDTH, WIDTH, HEADS, 16, LAYERS))
    decoder.attach(model, adapter)
    check_seam(model, adapter)


def test_loading_and_training_try_the_seam(monkeypatch, tmp_path):
    tried = []
    monkeypatch.setattr(model, "load_backbone", lambda *_, **__: (tiny_model(), byte_tokenizer()))
    monkeypatch.setattr(model, "load_encoder", lambda *_, **__: HashEncoder())
    monkeypatch.setattr(model, "check_seam", lambda *parts: tried.append(parts))
    folder = tiny_adapter().save(tmp_path / "adapter")
    kblam = Kblam.load("smollm2-135m", adapter=folder, force=True, device="cpu", dtype="float32")
    assert tried == [(kblam.backbone, kblam.adapter)]
    monkeypatch.setattr(loop, "load_backbone", lambda *_, **__: (tiny_model(), byte_tokenizer()))
    monkeypatch.setattr(loop, "check_seam", lambda *parts: tried.append(parts))
    built, _, adapter = loop.build(TrainConfig(out=tmp_path, first=0), HashEncoder(), "cpu")
    assert tried[1] == (built, adapter)
