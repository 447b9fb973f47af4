"""The reader: the backbone's own lower layers read a question and a fact together and say whether the fact answers it.

A sentence vector blurs "who must not take it" and "what is the dose"; a language model that has read the question before it reads the
fact does not. Its weights stay frozen: low-rank matrices beside its linear maps (LoRA, arXiv 2106.09685) and one output row are all
that is trained. They act in a second view of the same weights, so that the model which writes the answer stays what it was, bit for bit.

Only the few facts that the question prior found most promising are read, all in one pass: each sees the question and itself, none sees
another. So the cost does not grow with the table, and the order of the facts does not matter.

Shapes: C facts of a question, T tokens of the question and its facts, W width of the backbone, R rank.
"""

import copy
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kblam_core.prior import readable
from kblam_core.triples import Triple

QUESTION_CHARS, CELL_CHARS = 300, 60  # what is longer is cut
QUESTION_TOKENS, FACT_TOKENS = 128, 64  # too: a letter of some scripts is two or three tokens
READ_TOGETHER = 16  # questions of a batch
START_BIAS = -2.0  # where training starts: no fact answers
HIDDEN_AWAY = -1e9  # what a token must not see


@dataclass(frozen=True)
class ReaderShape:
    """layers: lower layers of the backbone that read; first: the first of them with low-rank matrices, of rank `rank`; width: W; maps:
    name and (input, output) width of each linear map of such a layer."""

    layers: int
    first: int
    rank: int
    width: int
    maps: dict[str, tuple[int, int]]

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def of(cls, backbone: nn.Module, *, share: float = 2 / 3, unread: float = 2 / 15, rank: int = 16) -> "ReaderShape":
        """For a backbone: the lower `share` of its layers, the low-rank matrices above the lowest `unread` of all."""
        layers = _body(backbone).layers
        count = max(1, round(share * len(layers)))
        first = min(round(unread * len(layers)), count - 1)
        maps = {name: (part.in_features, part.out_features) for name, part in layers[first].named_modules() if isinstance(part, nn.Linear)}
        return cls(count, first, rank, backbone.config.hidden_size, maps)


class LowRank(nn.Module):
    """What is added to a frozen linear map: x -> x A^T B^T with A (R, input), B (output, R); nothing before training."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(nn.functional.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))


class ReaderWeights(nn.Module):
    """All that is trained of the reader; it is stored with the adapter."""

    def __init__(self, shape: ReaderShape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.ModuleList(
            nn.ModuleDict({_key(name): LowRank(*sizes, shape.rank) for name, sizes in shape.maps.items()})
            for _ in range(shape.layers - shape.first)
        )
        self.norm = nn.RMSNorm(shape.width)
        self.head = nn.Linear(shape.width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, START_BIAS)


class FactReader:
    """A backbone that reads with trained weights. It keeps no second copy of the backbone's."""

    def __init__(self, backbone: nn.Module, tokenizer, weights: ReaderWeights) -> None:
        self.weights = weights
        self._tokenizer = tokenizer
        self._model = _lower_layers(backbone, weights.shape.layers)
        for layer, extra in zip(self._model.layers[weights.shape.first :], weights.layers, strict=True):
            for name in weights.shape.maps:
                parent, _, last = name.rpartition(".")
                setattr(layer.get_submodule(parent), last, _Widened(layer.get_submodule(name), extra[_key(name)]))
        self._end = self._tokens("\n")

    def tokens(self, question: str, triples: Sequence[Triple]) -> tuple[list[int], list[list[int]]]:
        """(tokens of the question, tokens of each fact) as they are read."""
        asked = self._tokenizer(question[:QUESTION_CHARS])["input_ids"][:QUESTION_TOKENS] + self._end
        return asked, [self._tokens(fact_text(triple))[:FACT_TOKENS] + self._end for triple in triples]

    def read(self, packed: Sequence[tuple[list[int], list[list[int]]]]) -> list[Tensor]:
        """(C,) logits for each question of a batch, given what `tokens` made of it. Differentiable."""
        device = self.weights.head.weight.device
        longest = max(len(asked) + sum(map(len, facts)) for asked, facts in packed)
        ids = torch.zeros(len(packed), longest, dtype=torch.long)
        place = torch.zeros(len(packed), longest, dtype=torch.long)
        mask = torch.full((len(packed), 1, longest, longest), HIDDEN_AWAY)
        ends: list[tuple[int, int]] = []
        for row, (asked, facts) in enumerate(packed):
            start = len(asked)
            ids[row, :start], place[row, :start] = torch.tensor(asked), torch.arange(start)
            mask[row, 0, :start, :start].triu_(1)
            at = start
            for fact in facts:
                end = at + len(fact)
                ids[row, at:end], place[row, at:end] = torch.tensor(fact), torch.arange(start, start + len(fact))
                mask[row, 0, at:end, :start] = 0
                mask[row, 0, at:end, at:end].triu_(1)
                ends.append((row, end - 1))
                at = end
            mask[row, 0, at:, 0] = 0  # padding sees something, or its softmax would divide by zero
        states = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device, next(self._model.parameters()).dtype),
            position_ids=place.to(device),
            use_cache=False,
        ).last_hidden_state
        rows, columns = zip(*ends, strict=True)
        last = states[list(rows), list(columns)].float()  # (all C, W)
        return list(self.weights.head(self.weights.norm(last)).squeeze(-1).split([len(facts) for _, facts in packed]))

    def logits(self, question: str, triples: Sequence[Triple]) -> np.ndarray:
        """(C,) logits that each fact answers the question."""
        return self.logits_of([(question, triples)])[0]

    @torch.inference_mode()
    def logits_of(self, asked: Sequence[tuple[str, Sequence[Triple]]]) -> list[np.ndarray]:
        """As `logits`, for many questions, each with its own facts (at least one)."""
        packed = [self.tokens(question, triples) for question, triples in asked]
        # Questions of like length go together: padding costs as much as words.
        order = sorted(range(len(packed)), key=lambda number: len(packed[number][0]) + sum(map(len, packed[number][1])))
        found: list[np.ndarray] = [np.zeros(0, dtype=np.float32)] * len(packed)
        for start in range(0, len(order), READ_TOGETHER):
            chosen = order[start : start + READ_TOGETHER]
            for number, logits in zip(chosen, self.read([packed[number] for number in chosen]), strict=True):
                found[number] = logits.float().cpu().numpy()
        return found

    def _tokens(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False)["input_ids"]


def fact_text(triple: Triple) -> str:
    """A fact as it is read after the question."""
    return f" {readable(triple.property)[:CELL_CHARS]} of {triple.entity[:CELL_CHARS]}: {triple.value[:CELL_CHARS]}"


class _Widened(nn.Module):
    """A frozen linear map with what the reader adds to it."""

    def __init__(self, frozen: nn.Module, extra: LowRank) -> None:
        super().__init__()
        self.frozen, self.extra = frozen, extra

    def forward(self, x: Tensor) -> Tensor:
        return self.frozen(x) + self.extra(x)


def _body(backbone: nn.Module) -> nn.Module:
    return getattr(backbone, "model", backbone)


def _lower_layers(backbone: nn.Module, count: int) -> nn.Module:
    """A second view of the lowest layers: other modules, the very same parameters. Hooks of the first view are not among it."""
    body = _body(backbone)
    shared = {id(tensor): tensor for tensor in itertools.chain(body.parameters(), body.buffers())}
    view = copy.deepcopy(body, shared)
    for part in view.modules():
        part._forward_pre_hooks.clear()
    view.layers = view.layers[:count]
    view.norm = nn.Identity()
    return view


def _key(name: str) -> str:
    return name.replace(".", "-")
