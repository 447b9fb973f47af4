"""The wording memory: how people asked before, and for which property.

A sentence vector of "How high is it?" is near those of other questions for heights, and far from the word "elevation". So the adapter
remembers the training wordings (their vectors, cut to fewer dimensions) with the property each one asks for. The nearest of them say
together which property a question expects: a vector that is compared with the property of each fact.

Shapes: N questions, E sentence width, R remembered width, W wordings, P properties.
"""

import numpy as np
import torch
from torch import Tensor, nn

NEIGHBOURS = 16
TEMPERATURE = 0.05  # of the neighbours' weights; cosines differ by hundredths


class WordingMemory(nn.Module):
    """Not trained: remembered. wordings (W, R) and properties (P, E) are unit vectors; asks (W,) says which wording asks for which
    property; basis (E, R) cuts a sentence vector down."""

    def __init__(self, width: int, *, wordings: int, properties: int, remembered: int) -> None:
        super().__init__()
        self.register_buffer("basis", torch.zeros(width, remembered))
        self.register_buffer("wordings", torch.zeros(wordings, remembered))
        self.register_buffer("properties", torch.zeros(properties, width))
        self.register_buffer("asks", torch.zeros(wordings, dtype=torch.int32))

    @classmethod
    def of(cls, wordings: Tensor, asks: Tensor, properties: Tensor, *, remembered: int) -> "WordingMemory":
        """Remember sentence vectors of wordings (W, E), with the property (P, E) each one asks for."""
        remembered = min(remembered, wordings.shape[1])
        _, directions = torch.linalg.eigh(wordings.T @ wordings)
        basis = directions[:, -remembered:]
        memory = cls(wordings.shape[1], wordings=len(wordings), properties=len(properties), remembered=remembered)
        memory.basis.copy_(basis)
        memory.wordings.copy_(nn.functional.normalize(wordings @ basis, dim=-1))
        memory.properties.copy_(properties)
        memory.asks.copy_(asks)
        return memory

    def sizes(self) -> dict[str, int]:
        """What is needed to make an empty one of the same shape."""
        return {"wordings": len(self.wordings), "properties": len(self.properties), "remembered": self.basis.shape[1]}

    @torch.inference_mode()
    def forward(self, readings: Tensor) -> tuple[Tensor, Tensor]:
        """(N, E) vectors of readings -> (N, E) the expected property, a mean of unit vectors, the shorter the less the wordings agree;
        (N,) similarity of the nearest wording."""
        found = nn.functional.normalize(readings @ self.basis, dim=-1) @ self.wordings.T
        near = found.topk(min(NEIGHBOURS, found.shape[1]), dim=-1)
        weight = (near.values / TEMPERATURE).softmax(-1)
        return torch.einsum("nk,nke->ne", weight, self.properties[self.asks[near.indices].long()]), near.values[:, 0]


def recall(memory: WordingMemory | None, readings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, E) vectors of readings -> (N, E) expected properties, (N,) how familiar the readings are; zeros without a memory."""
    if memory is None:
        return np.zeros_like(readings), np.zeros(len(readings), dtype=readings.dtype)
    expected, familiar = memory(torch.from_numpy(readings).to(memory.basis.device))
    return expected.cpu().numpy(), familiar.cpu().numpy()
