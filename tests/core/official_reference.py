"""microsoft/KBLaM written a second time from its equations, in plain torch, for Llama and Phi-3: what `import-official` must agree with.

Nothing of kblam_core and no model code of transformers is used. It also writes checkpoints in the official layout.

Shapes: T tokens, M triples, E encoder width, H query heads, G key heads, D head width, S slots = 1 + layers // frequency.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


@dataclass
class Checkpoint:
    """Random trained parts in the official names; queries: one (H*D, hidden) for each layer of the model."""

    encoder: dict[str, Tensor]
    queries: list[Tensor]
    frequency: int = 3
    scale: int | None = None
    sparse: bool = False

    @classmethod
    def random(cls, config, encoder_width: int, *, frequency: int, scale: int | None, seed: int = 5) -> Checkpoint:
        source = torch.Generator().manual_seed(seed)
        slots = 1 + config.num_hidden_layers // frequency
        out = slots * config.hidden_size

        def draw(*shape: int) -> Tensor:
            return 0.5 * torch.randn(*shape, generator=source)

        encoder = {f"projector_{part}.weight": draw(out, encoder_width) for part in "kv"}
        encoder |= {f"projector_{part}.bias": draw(out) for part in "kv"}
        encoder |= {"embedding.weight": draw(6, out), "base_model.0.weight": draw(3, 3)}
        queries = [draw(config.hidden_size, config.hidden_size) for _ in range(config.num_hidden_layers)]
        return cls(encoder, queries, frequency, scale)

    def bfloat16(self) -> Checkpoint:
        """The same with its tensors in bfloat16, as the official training saves them."""
        encoder = {name: tensor.bfloat16() for name, tensor in self.encoder.items()}
        return replace(self, encoder=encoder, queries=[tensor.bfloat16() for tensor in self.queries])

    def float32(self) -> Checkpoint:
        """The same numbers in float32."""
        encoder = {name: tensor.float() for name, tensor in self.encoder.items()}
        return replace(self, encoder=encoder, queries=[tensor.float() for tensor in self.queries])

    def write(self, folder: Path, *, layout: str) -> Path:
        """layout: "beside" (model NAME, encoder NAME_encoder), "sharded" (the model in two files), "bin", "separate" (heads in a file)."""
        config = {
            "kb_layer_frequency": self.frequency,
            "kb_scale_factor": self.scale,
            "sep_query_head": True,
            "top_k_kb": 100,
            "dynamic_sparsify": self.sparse,
            "model_type": "",
        }
        model, encoder = folder / "stage1_step_100", folder / "stage1_step_100_encoder"
        if layout == "separate":
            encoder = model
        for one in {model, encoder}:
            one.mkdir(parents=True)
        torch.save(self.encoder, encoder / "encoder.pt")
        heads = {f"model.layers.{layer}.self_attn.q_proj_new.weight": weight for layer, weight in enumerate(self.queries)}
        other = {"model.layers.0.self_attn.q_proj.weight": torch.zeros(2, 2), "model.norm.weight": torch.ones(2)}
        name = "kb_config_explicit.json"
        if layout == "beside":
            save_file(heads | other, model / "model.safetensors")
            name = "config.json"
        elif layout == "sharded":
            half = len(heads) // 2
            save_file(dict(list(heads.items())[:half]) | other, model / "model-00001-of-00002.safetensors")
            save_file(dict(list(heads.items())[half:]), model / "model-00002-of-00002.safetensors")
        elif layout == "bin":
            torch.save(heads | other, model / "pytorch_model.bin")
        else:
            torch.save({f"layer_{layer}": {"weight": weight} for layer, weight in enumerate(self.queries)}, model / "query_head.pt")
        (model / name).write_text(json.dumps(config))
        return model


def reference_logits(weights: dict[str, Tensor], config, ids: Tensor, checkpoint: Checkpoint, keys: Tensor, values: Tensor) -> Tensor:
    """Logits (T, vocabulary) of the model with these weights on ids (T,), reading sentence vectors keys, values (M, E)."""
    slots, hidden = 1 + config.num_hidden_layers // checkpoint.frequency, config.hidden_size
    kb_keys = keys @ checkpoint.encoder["projector_k.weight"].T + checkpoint.encoder["projector_k.bias"]  # (M, S * hidden)
    centred = kb_keys - kb_keys.mean(-1, keepdim=True)
    kb_keys = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()  # one LayerNorm over all slots
    kb_values = values @ checkpoint.encoder["projector_v.weight"].T + checkpoint.encoder["projector_v.bias"]
    kb_keys, kb_values = (part.reshape(len(keys), slots, hidden) for part in (kb_keys, kb_values))
    state = weights["model.embed_tokens.weight"][ids]  # (T, hidden)
    for layer in range(config.num_hidden_layers):
        part = {name.split(f"layers.{layer}.")[1]: tensor for name, tensor in weights.items() if f"layers.{layer}." in name}
        normed = _rms(state, part["input_layernorm.weight"], config.rms_norm_eps)
        kb = None
        if layer % checkpoint.frequency == 0:
            slot = layer // checkpoint.frequency
            kb = (normed @ checkpoint.queries[layer].T, kb_keys[:, slot], kb_values[:, slot])
        state = state + _attention(normed, part, config, kb, checkpoint.scale)
        normed = _rms(state, part["post_attention_layernorm.weight"], config.rms_norm_eps)
        if "mlp.gate_up_proj.weight" in part:
            gate, up = (normed @ part["mlp.gate_up_proj.weight"].T).chunk(2, -1)
        else:
            gate, up = normed @ part["mlp.gate_proj.weight"].T, normed @ part["mlp.up_proj.weight"].T
        state = state + (gate / (1 + (-gate).exp()) * up) @ part["mlp.down_proj.weight"].T
    return _rms(state, weights["model.norm.weight"], config.rms_norm_eps) @ weights["lm_head.weight"].T


def _attention(normed: Tensor, part: dict[str, Tensor], config, kb, scale: int | None) -> Tensor:
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    width = config.hidden_size // heads
    if "self_attn.qkv_proj.weight" in part:
        query, key, value = (normed @ part["self_attn.qkv_proj.weight"].T).split([heads * width, groups * width, groups * width], -1)
    else:
        query, key, value = (normed @ part[f"self_attn.{name}_proj.weight"].T for name in "qkv")
    query = _rotate(_split(query, heads), config)  # (H, T, D)
    key = _rotate(_split(key, groups), config).repeat_interleave(heads // groups, 0)
    value = _split(value, groups).repeat_interleave(heads // groups, 0)
    length = query.shape[1]
    scores = query @ key.mT / math.sqrt(width) + torch.full((length, length), -torch.inf).triu(1)  # (H, T, T)
    if kb is not None:
        own, kb_keys, kb_values = (_split(one, heads) for one in kb)  # the query is not rotated
        kb_scores = own @ kb_keys.mT / math.sqrt(width)  # (H, T, M)
        if scale is not None:
            kb_scores = kb_scores - math.log(kb_keys.shape[1]) + math.log(scale)
        scores, value = torch.cat([kb_scores, scores], -1), torch.cat([kb_values, value], 1)
    out = scores.softmax(-1) @ value  # (H, T, D)
    return out.transpose(0, 1).flatten(1) @ part["self_attn.o_proj.weight"].T


def _split(states: Tensor, heads: int) -> Tensor:
    """(T, heads * D) -> (heads, T, D)"""
    return states.unflatten(-1, (heads, -1)).transpose(0, 1)


def _rotate(states: Tensor, config) -> Tensor:
    """Rotary position embedding with the two halves as real and imaginary parts."""
    half = states.shape[-1] // 2
    speeds = config.rope_parameters["rope_theta"] ** (-torch.arange(half, dtype=torch.float32) / half)
    angles = torch.arange(states.shape[1], dtype=torch.float32)[:, None] * speeds  # (T, D / 2)
    real, imaginary = states[..., :half], states[..., half:]
    return torch.cat([real * angles.cos() - imaginary * angles.sin(), imaginary * angles.cos() + real * angles.sin()], -1)


def _rms(states: Tensor, weight: Tensor, eps: float) -> Tensor:
    return states / (states.square().mean(-1, keepdim=True) + eps).sqrt() * weight
