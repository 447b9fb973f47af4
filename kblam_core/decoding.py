"""The decoding loop: prefill, then greedy tokens from the mixture of the backbone and the copy gate, until the answer ends.

When the copy gate follows a sentence, its rest is fed as a draft and checked in one pass: every token is still the argmax of the mixture
at its own position, so the answer is the one that token by token decoding gives, only sooner. The gate decides how the answer begins; from
then on it stays open, or the backbone would now and then end a long name in its own way.

Shapes: T tokens of a step, M shortlisted triples, L KB layers, H heads. Batch size is 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from transformers import DynamicCache

from kblam_core.adapter import KblamAdapter
from kblam_core.attention import Knowledge
from kblam_core.copying import CopyState
from kblam_core.prompt import Prompt

DRAFT = 8  # tokens of a draft that are checked at once
HOLD = 0.95  # least gate once a sentence is begun: half a value is worse than none


@dataclass(frozen=True)
class Step:
    """One generated token. kb_weights (L, H, M) of the position that produced it; shares (M,) within the table; mass: table's share;
    gate: copy gate; refusal: probability of the refusal's first token in the mixture."""

    token: int
    kb_weights: np.ndarray
    shares: np.ndarray
    mass: float
    gate: float
    refusal: float


@dataclass(frozen=True)
class Prefill:
    """KB attention of the prompt's tokens (L, H, T, M) and the shares (M,) at its last token."""

    kb_weights: np.ndarray
    shares: np.ndarray


@torch.inference_mode()
def decode(
    model: torch.nn.Module,
    adapter: KblamAdapter,
    prompt: Prompt,
    knowledge: Knowledge,
    *,
    copy: CopyState | None,
    answerable: float | None,
    refusal: list[int],
    end: int,
    max_new_tokens: int,
) -> Iterator[Prefill | Step]:
    """Yield a Prefill, then a Step per token; the end token is not yielded.

    answerable: probability that some fact answers, from the prior; None without a prior (then the backbone alone decides the first
    token). copy: the copy state, None to switch the copy gate off. `refusal` is the refusal's token ids, `end` ends an answer.
    """
    device = next(adapter.parameters()).device
    cache = DynamicCache()  # full layers: a sliding one cannot forget a rejected draft; the mask slides all the same
    stops = {end, *_as_list(model.generation_config.eos_token_id)}
    inputs = list(prompt.ids)
    draft: list[int] = []
    produced = 0
    first = True
    while produced < max_new_tokens:
        out = model(
            input_ids=torch.tensor([inputs + draft], device=device),
            past_key_values=cache,
            use_cache=True,
            knowledge=knowledge,
            output_attentions=True,
            output_hidden_states=True,
            logits_to_keep=len(draft) + 1,
        )
        size = knowledge.keys.shape[-2]
        weights = torch.stack([out.attentions[layer][..., :size] for layer in adapter.config.layers])  # (L, 1, H, T, M)
        shares, mass = adapter.fact_shares(weights)
        hidden = out.hidden_states[-1]
        sure = torch.full_like(mass, 1.0 if answerable is None else answerable)
        gate = adapter.copy_probability(hidden, mass, sure, shares.amax(-1))[0]
        logits = out.logits[0].float().softmax(-1)
        tail = len(draft) + 1
        weights = weights[:, 0].float().cpu().numpy()
        shares_rows = shares[0, -tail:].float().cpu().numpy()
        if first:
            yield Prefill(weights, shares_rows[-tail])
        accepted = 0
        for place in range(tail):
            follow = {}
            if copy is not None and not (first and answerable is None):
                follow = copy.distribution(shares_rows[place], 1.0 if answerable is None else answerable)
            g = float(gate[place - tail]) if follow else 0.0
            if follow and not first:
                g = max(g, HOLD)
            scores = logits[place] * (1.0 - g)
            for token, probability in follow.items():
                scores[token] += g * probability
            token = int(scores.argmax())
            if token in stops:
                return
            yield Step(
                token=token,
                kb_weights=weights[:, :, place - tail],
                shares=shares_rows[place],
                mass=float(mass[0, place - tail]),
                gate=g,
                refusal=float(scores[refusal[0]]),
            )
            produced += 1
            first = False
            if copy is not None:
                copy.advance(token)
            if produced >= max_new_tokens:
                return
            if place < len(draft) and token == draft[place]:
                accepted += 1
                continue
            break
        # The cache holds the draft's rejected tail: forget it.
        excess = len(draft) - accepted
        if excess:
            cache.crop(-excess)
        inputs = [token]
        draft = copy.remainder(shares_rows[place])[:DRAFT] if copy is not None else []


@torch.inference_mode()
def decode_plain(model: torch.nn.Module, prompt: list[int], *, end: int, max_new_tokens: int) -> Iterator[int]:
    """Greedy tokens of the backbone without any knowledge; the end token is not yielded."""
    stops = {end, *_as_list(model.generation_config.eos_token_id)}
    cache = DynamicCache()
    inputs = list(prompt)
    for _ in range(max_new_tokens):
        out = model(input_ids=torch.tensor([inputs], device=model.device), past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = int(out.logits[0, -1].argmax())
        if token in stops:
            return
        yield token
        inputs = [token]


def _as_list(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
