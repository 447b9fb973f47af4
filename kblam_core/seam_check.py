"""Whether a model and an adapter fit where they meet, found out by a dummy pass when they are loaded, not trusted.

A family may add to its attention what ours does not know of (a sink, a bias) or do something to its logits; it would then answer, only
wrongly. Three passes over a few tokens tell: of the base, of the attached model without knowledge, and of the same with knowledge.
"""

import torch
from torch import Tensor

from kblam_core import decoder
from kblam_core.adapter import KblamAdapter
from kblam_core.attention import Knowledge
from kblam_core.errors import UnsupportedModelError

TOKENS = 4  # of a row
TRIPLES = 2
NEAR = 1e-4  # of the logits' spread, in float32
NEAR_HALF = 0.15  # in a half-width or quantised model, where rounding differs between two ways of computing the same
SAME_WAY = 0.03  # in such a model, of what is computed in one way


@torch.no_grad()
def check_seam(model: torch.nn.Module, adapter: KblamAdapter) -> None:
    """Try an attached model; it stays attached. Raises UnsupportedModelError with what does not hold:

    heads and head widths are the adapter's; without knowledge the model is the base (bit for bit in float32); a later token does not
    change an earlier one's logits; knowledge is read in the KB layers and changes the logits; output_logits gives the model's own.
    """
    check_heads(model, adapter)
    name = type(model).__name__
    ids = _ids(model)
    try:
        decoder.detach(model)
        try:
            base = _logits(model, ids)
        finally:
            decoder.attach(model, adapter)
        off = _logits(model, ids, knowledge=None)
        on, hidden, attentions = _with_knowledge(model, ids, adapter)
        own = decoder.output_logits(model, hidden.flatten(0, 1)).view_as(on)
    except (torch.OutOfMemoryError, UnsupportedModelError):
        raise
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UnsupportedModelError(f"{name} cannot be run with a KB branch: {reason}") from error
    exact = model.dtype == torch.float32 and not getattr(model, "is_quantized", False)
    near, same_way = (NEAR, NEAR) if exact else (NEAR_HALF, SAME_WAY)
    # Bits are asked for where the machine computes the same ones twice.
    if not torch.equal(off, base) and (_apart(off, base) >= near or (exact and _repeats(model, ids, off))):
        raise UnsupportedModelError(
            f"{name} does not compute the same through KBLaM's attention as without it, even with no knowledge: its attention has a part "
            "that KBLaM does not know of."
        )
    if any(part is None for part in attentions) or not all(part.shape[-1] == TOKENS + TRIPLES for part in attentions):
        raise UnsupportedModelError(f"{name} does not read knowledge in its KB layers: its attention is not transformers' interface.")
    if torch.equal(on, off):
        raise UnsupportedModelError(f"{name} gives the same output with knowledge as without it.")
    # The rows differ in their last token only.
    if any(_apart(one[:1, :-1], one[1:, :-1]) >= same_way for one in (base, on)):
        raise UnsupportedModelError(f"{name} is not causal here: a later token changes what an earlier one reads.")
    if _apart(own, on) >= same_way:
        raise UnsupportedModelError(f"{name} does something to its logits (a scale, a cap) that KBLaM's training does not know of.")


def check_heads(model: torch.nn.Module, adapter: KblamAdapter) -> None:
    """Raises UnsupportedModelError where width, heads or head widths of the KB layers are not those of the adapter."""
    config, fits = model.config, adapter.config
    modules = decoder.attention_modules(model)
    if fits.layers[-1] >= len(modules):
        raise UnsupportedModelError(f"The adapter has a KB branch in layer {fits.layers[-1]}, but the model has {len(modules)} layers.")
    if config.hidden_size != fits.hidden:
        raise UnsupportedModelError(f"The adapter fits a model of width {fits.hidden}, but this one has width {config.hidden_size}.")
    usual = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    for layer in fits.layers:
        heads, width = config.num_attention_heads, getattr(modules[layer], "head_dim", usual)
        if (heads, width) != (fits.heads, fits.head_width):
            raise UnsupportedModelError(
                f"The adapter has {fits.heads} heads of width {fits.head_width}, the model has {heads} of width {width} in layer {layer}."
            )


def _logits(model: torch.nn.Module, ids: Tensor, **knowledge: Knowledge | None) -> Tensor:
    """(B, T, vocabulary) in float32"""
    return model(input_ids=ids, use_cache=False, **knowledge).logits.float()


def _with_knowledge(model: torch.nn.Module, ids: Tensor, adapter: KblamAdapter) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Logits (B, T, vocabulary), final hidden states (B, T, hidden), attention weights (B, H, T, M + T) of each KB layer."""
    out = model(input_ids=ids, use_cache=False, output_attentions=True, output_hidden_states=True, knowledge=_knowledge(adapter))
    attentions = dict(enumerate(out.attentions or ()))
    return out.logits.float(), out.hidden_states[-1], [attentions.get(layer) for layer in adapter.config.layers]


def _knowledge(adapter: KblamAdapter) -> Knowledge:
    """TRIPLES made-up facts for each of the two rows. No random numbers: those of a training run must not depend on this."""
    width = adapter.config.encoder_width
    device = adapter.key_map.weight.device
    waves = torch.outer(torch.arange(1, 2 * TRIPLES + 1, device=device), torch.arange(1, width + 1, device=device)).float().sin()
    keys, values = torch.nn.functional.normalize(waves, dim=-1).view(2, 1, TRIPLES, width).expand(-1, 2, -1, -1)
    return adapter.knowledge(keys, values)


def _ids(model: torch.nn.Module) -> Tensor:
    """Two rows (2, TOKENS) of token numbers that differ in the last one only."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    row = [(17 + 37 * place) % vocabulary for place in range(TOKENS)]
    return torch.tensor([row, [*row[:-1], (row[-1] + 11) % vocabulary]], device=model.get_input_embeddings().weight.device)


def _apart(one: Tensor, two: Tensor) -> float:
    """How far two tensors of logits (B, T, vocabulary) are from one another, as a share of their spread: the median of the tokens.

    The median, because rounding may send a single token of a mixture of experts to another expert.
    """
    spread = two.std(-1).clamp_min(1e-9)
    return float(((one - two).square().mean(-1).sqrt() / spread).nan_to_num(torch.inf).median())


def _repeats(model: torch.nn.Module, ids: Tensor, off: Tensor) -> bool:
    """Whether another pass gives the very same bits."""
    return torch.equal(_logits(model, ids, knowledge=None), off)
