"""Rectangular attention: text tokens read knowledge tokens and one another, knowledge tokens read nothing (arXiv 2410.10450).

A plain function registered under the name "kblam" with transformers' AttentionInterface, so that any decoder which goes through that
interface can read a knowledge base without a fork. Knowledge enters per call as a keyword; nothing is global but the registration.

Shapes: B batch, T query tokens, S text keys (past + T), M triples, H query heads, D head width, L KB layers.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

ATTENTION_NAME = "kblam"
LENGTH_SCALE = 100.0  # C of the paper: the table size at which KB logits are left as they are


@dataclass(frozen=True)
class Knowledge:
    """What one forward pass may read, for all KB layers.

    keys, values: (L, B, H, M, D); prior: (B, M) logits of the question prior, or None without it; padding: (B, M) True where there is
    no triple; log_scale: (B, 1, 1, 1) = log C - log M.
    """

    keys: Tensor
    values: Tensor
    log_scale: Tensor
    prior: Tensor | None = None
    padding: Tensor | None = None

    def to(self, device: torch.device | str) -> "Knowledge":
        moved = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Knowledge(**{name: part if part is None else part.to(device) for name, part in moved.items()})


@dataclass(frozen=True)
class LayerKnowledge:
    """One KB layer's share: query (B, H, T, D), keys and values (B, H, M, D), bias broadcastable to (B, H, T, M)."""

    query: Tensor
    keys: Tensor
    values: Tensor
    bias: Tensor


def log_scale(sizes: Tensor, length: float | None = LENGTH_SCALE) -> Tensor:
    """log C - log M for tables of these sizes: (B,) -> (B, 1, 1, 1); zero without a C."""
    if length is None:
        return torch.zeros(len(sizes), 1, 1, 1, device=sizes.device)
    return (math.log(length) - sizes.clamp(min=1).float().log())[:, None, None, None]


def rectangular_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    knowledge: LayerKnowledge | None = None,
    **_: object,
) -> tuple[Tensor, Tensor]:
    """One float32 softmax over [KB columns | text columns]; without knowledge the same arithmetic as transformers' eager attention.

    query (B, H, T, D), after rotary embedding; key, value (B, KV heads, S, D); attention_mask additive, (B, 1, T, >= S); s_aux (H,): the
    logit of each head's attention sink (GPT-OSS), one more column that takes its share of the softmax and is read by nobody.
    Returns the output (B, T, H, D), contiguous, and the weights (B, H, T, M + S), KB columns first, without the sink.
    """
    dtype = query.dtype
    if query.device.type == "cpu" and dtype != torch.float32:
        # Batched products of half-width numbers are many times slower than float32 on a CPU.
        query, key, value = query.float(), key.float(), value.float()
    groups = getattr(module, "num_key_value_groups", query.shape[1] // key.shape[1])
    key, value = _repeat_heads(key, groups), _repeat_heads(value, groups)  # (B, H, S, D)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query, key.mT) * scaling  # (B, H, T, S)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if attention_mask is not None:
        scores = scores + attention_mask[..., : key.shape[-2]]
    if knowledge is not None:
        kb_scores = torch.matmul(knowledge.query.to(query.dtype), knowledge.keys.to(query.dtype).mT) * scaling  # (B, H, T, M)
        if softcap is not None:
            kb_scores = softcap * torch.tanh(kb_scores / softcap)
        scores = torch.cat([kb_scores.float() + knowledge.bias, scores.float()], dim=-1)  # (B, H, T, M + S)
        value = torch.cat([knowledge.values.to(value.dtype), value], dim=-2)  # (B, H, M + S, D)
    if s_aux is not None:
        sink = s_aux.to(scores.dtype).view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, sink], dim=-1)  # (B, H, T, M + S + 1)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    if s_aux is not None:
        weights = weights[..., :-1]
    weights = torch.nn.functional.dropout(weights, p=dropout, training=module.training)
    output = torch.matmul(weights, value)  # (B, H, T, D)
    return output.transpose(1, 2).contiguous().to(dtype), weights


def _repeat_heads(heads: Tensor, groups: int) -> Tensor:
    """(B, KV heads, S, D) -> (B, H, S, D)"""
    if groups == 1:
        return heads
    return heads[:, :, None].expand(-1, -1, groups, -1, -1).reshape(heads.shape[0], -1, *heads.shape[2:])


def register() -> None:
    """Make "kblam" known to transformers. The mask must be registered too: without it the causal mask is silently lost."""
    AttentionInterface.register(ATTENTION_NAME, rectangular_attention)
    AttentionMaskInterface.register(ATTENTION_NAME, eager_mask)
