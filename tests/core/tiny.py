"""Tiny random models of several families, an adapter with strong weights, a byte tokenizer, and an encoder made of hashes.

All weights are drawn large on purpose: with the usual initialisation every property of attention would hold to rounding by accident.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GptOssConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
)

from kblam_core.adapter import AdapterConfig, KblamAdapter

VOCABULARY = 264
WIDTH = 32
HEADS = 4
HEAD_WIDTH = 8
ENCODER_WIDTH = 16
LAYERS = (0, 2)
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": HEADS,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "initializer_range": 0.25,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "eager",
}
FAMILIES = {
    "llama": lambda: LlamaConfig(**COMMON),
    "phi3": lambda: Phi3Config(**COMMON),
    "qwen2": lambda: Qwen2Config(**COMMON),
    "gemma2": lambda: Gemma2Config(**COMMON, head_dim=HEAD_WIDTH, query_pre_attn_scalar=HEAD_WIDTH, sliding_window=64),
    "qwen3": lambda: Qwen3Config(**COMMON, head_dim=HEAD_WIDTH),
    "mistral": lambda: MistralConfig(**COMMON, sliding_window=64),
    "gemma3": lambda: Gemma3TextConfig(**COMMON, head_dim=HEAD_WIDTH, query_pre_attn_scalar=HEAD_WIDTH, sliding_window=64),
    "smollm3": lambda: SmolLM3Config(**COMMON, no_rope_layer_interval=2),
    "olmo2": lambda: Olmo2Config(**COMMON),
    "granite": lambda: GraniteConfig(**COMMON, attention_multiplier=0.3, logits_scaling=2.0, residual_multiplier=0.7),
    "qwen3_moe": lambda: Qwen3MoeConfig(
        **COMMON, head_dim=HEAD_WIDTH, moe_intermediate_size=32, num_experts=4, num_experts_per_tok=2, norm_topk_prob=True
    ),
    "cohere": lambda: CohereConfig(**COMMON | {"initializer_range": 0.12}, logit_scale=0.5),
    "gpt_oss": lambda: GptOssConfig(
        **COMMON,
        head_dim=HEAD_WIDTH,
        sliding_window=64,
        num_local_experts=4,
        num_experts_per_tok=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    ),
}


def tiny_model(family: str = "llama", *, seed: int = 0) -> torch.nn.Module:
    """A frozen random causal model in evaluation mode, float32, with the eager attention of its family."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(FAMILIES[family]()).eval().requires_grad_(False)
    assert model.config._attn_implementation == "eager"
    return model


def tiny_adapter(*, seed: int = 1, layers: tuple[int, ...] = LAYERS, encoder: str = "hashes") -> KblamAdapter:
    """An adapter for tiny_model whose every part, those that start at zero included, has an effect."""
    torch.manual_seed(seed)
    adapter = KblamAdapter(AdapterConfig("tiny", encoder, ENCODER_WIDTH, WIDTH, HEADS, HEAD_WIDTH, layers))
    torch.manual_seed(seed)  # again: what follows must not hang on how many weights the question prior has
    with torch.no_grad():
        for parameter in (*adapter.key_map.parameters(), *adapter.value_map.parameters(), *adapter.query_heads.parameters()):
            parameter.normal_(std=0.7)
        for parameter in (*adapter.prior_scale.parameters(), adapter.prior_offset, adapter.copy_mix):
            parameter.add_(0.3 * torch.randn_like(parameter))
    return adapter.eval()


def vectors(batch: int, triples: int, *, seed: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit key and value vectors (B, M, E)."""
    source = torch.Generator().manual_seed(seed)
    made = torch.randn(2, batch, triples, ENCODER_WIDTH, generator=source)
    keys, values = torch.nn.functional.normalize(made, dim=-1)
    return keys, values


def token_ids(batch: int, length: int, *, seed: int = 3) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, (batch, length), generator=torch.Generator().manual_seed(seed))


class HashEncoder:
    """Unit vectors made of the hashes of a text's words: texts that share words are alike. Notes what it was given."""

    name = "hashes"
    width = ENCODER_WIDTH

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.texts.extend(texts)
        if not len(texts):
            return np.zeros((0, self.width), dtype=np.float32)
        rows = []
        for text in texts:
            pieces = [text, *text.casefold().replace("?", " ").split()]
            rows.append(np.sum([_direction(piece) for piece in pieces], axis=0))
        made = np.array(rows)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def _direction(word: str) -> np.ndarray:
    return np.random.default_rng(crc32(word.encode("utf-8", "surrogatepass"))).standard_normal(ENCODER_WIDTH)


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A real tokenizer whose tokens are single bytes, so that it spells any text, with a chat template."""
    names = ["<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer
