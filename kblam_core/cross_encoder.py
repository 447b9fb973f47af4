"""The cross-encoder: a question and a fact read together, token by token, to tell "when was it built" from "when was it restored".

Sentence vectors blur what separates neighbouring properties. So the frozen encoder's lower layers read the question and the fact each
for itself, as always, and a trained copy of its upper layers reads both at once. Only the few most promising facts are read like this,
so its cost does not grow with the table. What it reads says nothing of the entity: in the question its name is "it" (prior.read), the
fact is its sentence "The {property} of it is {value}." The split is DeFormer's (Cao et al., ACL 2020, arXiv 2005.00697).

Shapes: P pairs, T tokens of a pair, E sentence width.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from kblam_core.encoders import TokenEncoder

QUESTION_TOKENS, FACT_TOKENS = 48, 24  # what is longer is cut
HIDDEN = 128
COSINE_SCALE, COSINE_SHIFT = 12.0, -7.0  # where training starts: the frozen vectors' cosine as a logit
PAIRS_AT_ONCE = 48


@dataclass(frozen=True)
class CrossShape:
    """below: layers of the sentence encoder that stay as they are; layers: those that read pairs; heads, inner: their shape."""

    below: int = 3
    layers: int = 3
    heads: int = 12
    inner: int = 1536

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


class CrossEncoder(nn.Module):
    """Logits that a fact's property is the one a question asks for."""

    def __init__(self, width: int, shape: CrossShape, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, shape.heads, shape.inner, dropout=dropout, activation="gelu", layer_norm_eps=1e-12, batch_first=True
            )
            for _ in range(shape.layers)
        )
        for layer in self.layers:
            # Dropout where the layer's parts are added up is enough; inside them it costs a third of a step on a CPU.
            layer.self_attn.dropout = 0.0
            layer.dropout.p = 0.0
        self.part = nn.Embedding(2, width)
        self.first = nn.Sequential(nn.Dropout(dropout), nn.Linear(3 * width, HIDDEN), nn.GELU())
        self.second = nn.Linear(HIDDEN, 1)
        self.scale = nn.Parameter(torch.tensor(COSINE_SCALE))
        nn.init.zeros_(self.part.weight)
        nn.init.zeros_(self.second.weight)
        nn.init.constant_(self.second.bias, COSINE_SHIFT)

    def start_from(self, layers: Sequence[nn.Module]) -> None:
        """Copy the weights of the sentence encoder's upper layers (transformers' BertLayer)."""
        with torch.no_grad():
            for own, given in zip(self.layers, layers, strict=True):
                attention = given.attention
                inputs = [attention.self.query, attention.self.key, attention.self.value]
                own.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in inputs]))
                own.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in inputs]))
                pairs = (
                    (own.self_attn.out_proj, attention.output.dense),
                    (own.norm1, attention.output.LayerNorm),
                    (own.linear1, given.intermediate.dense),
                    (own.linear2, given.output.dense),
                    (own.norm2, given.output.LayerNorm),
                )
                for mine, theirs in pairs:
                    mine.weight.copy_(theirs.weight)
                    mine.bias.copy_(theirs.bias)

    def forward(self, states: Tensor, part: Tensor, real: Tensor, cosine: Tensor) -> Tensor:
        """states (P, T, E) of the lower layers, question first; part (P, T): 0 question, 1 fact; real (P, T): False at the padding;
        cosine (P,) of the two frozen sentence vectors. Returns (P,) logits."""
        mixed = states + self.part(part).to(states.dtype)
        for layer in self.layers:
            mixed = layer(mixed, src_key_padding_mask=~real)
        mixed = mixed.float()
        asked = _mean(mixed, real & (part == 0))
        held = _mean(mixed, real & (part == 1))
        features = torch.cat([mixed[:, 0], asked * held, (asked - held).abs()], dim=-1)
        return self.second(self.first(features)).squeeze(-1).float() + self.scale * cosine

    def read(self, encoder: TokenEncoder, questions: Sequence[str], facts: Sequence[str], *, dtype: torch.dtype | None = None) -> Tensor:
        """(P,) logits of the pairs; questions[n] goes with facts[n]. Differentiable; the encoder is not trained."""
        asked = encoder.token_states(questions, self.shape.below, QUESTION_TOKENS)
        held = encoder.token_states(facts, self.shape.below, FACT_TOKENS)
        cosine = torch.from_numpy((encoder.encode(questions) * encoder.encode(facts)).sum(-1))
        # Pairs of like length go together: padding costs as much as words.
        order = sorted(range(len(asked)), key=lambda number: len(asked[number]) + len(held[number]))
        parts = []
        for start in range(0, len(order), PAIRS_AT_ONCE):
            chosen = order[start : start + PAIRS_AT_ONCE]
            parts.append(self._read([asked[n] for n in chosen], [held[n] for n in chosen], cosine[chosen], dtype))
        back = torch.empty(len(order), dtype=torch.long)
        back[order] = torch.arange(len(order))
        return torch.cat(parts)[back.to(parts[0].device)]

    def _read(self, asked: list[Tensor], held: list[Tensor], cosine: Tensor, dtype: torch.dtype | None) -> Tensor:
        device = self.scale.device
        longest = max(len(one) + len(two) for one, two in zip(asked, held, strict=True))
        states = torch.zeros(len(asked), longest, asked[0].shape[-1], dtype=asked[0].dtype if dtype else torch.float32)
        part = torch.zeros(len(asked), longest, dtype=torch.long)
        real = torch.zeros(len(asked), longest, dtype=torch.bool)
        for number, (one, two) in enumerate(zip(asked, held, strict=True)):
            end = len(one) + len(two)
            states[number, : len(one)], states[number, len(one) : end] = one, two
            part[number, len(one) : end] = 1
            real[number, :end] = True
        with torch.autocast(device.type, dtype=dtype or torch.float32, enabled=dtype is not None):
            return self(states.to(device), part.to(device), real.to(device), cosine.to(device))

    @torch.inference_mode()
    def logits(self, encoder: TokenEncoder, questions: Sequence[str], facts: Sequence[str], *, dtype: torch.dtype | None = None) -> Tensor:
        """As `read`, for any number of pairs, each different pair read once; on the CPU, without gradients."""
        different = list(dict.fromkeys(zip(questions, facts, strict=True)))
        found: dict[tuple[str, str], float] = {}
        for start in range(0, len(different), 32 * PAIRS_AT_ONCE):
            batch = different[start : start + 32 * PAIRS_AT_ONCE]
            scores = self.read(encoder, [one for one, _ in batch], [two for _, two in batch], dtype=dtype)
            found.update(zip(batch, scores.float().cpu().tolist(), strict=True))
        return torch.tensor([found[pair] for pair in zip(questions, facts, strict=True)])


def _mean(states: Tensor, chosen: Tensor) -> Tensor:
    weight = chosen[..., None].to(states.dtype)
    return (states * weight).sum(1) / weight.sum(1).clamp_min(1.0)
