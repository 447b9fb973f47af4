"""Make a wording memory of the catalogue: every wording with the property it asks for. Nothing is trained."""

import re
from collections.abc import Sequence

import torch
from torch import nn

from kblam_core.encoders import SentenceEncoder
from kblam_core.prior import readable
from kblam_core.training.catalogue import Domain
from kblam_core.wording_memory import WordingMemory


def remember(encoder: SentenceEncoder, domains: Sequence[Domain], *, remembered: int) -> WordingMemory:
    """The wordings of these domains with "it" for the entity, as prior.read leaves them; a property is the mean of its names."""
    wordings: dict[tuple[str, int], None] = {}
    names: list[str] = []
    named: list[int] = []
    place = 0
    for domain in domains:
        for property_ in domain.properties:
            for question in property_.questions:
                text = re.sub(r"\b(?:the|an?) it\b", "it", question.replace("{e}", "it"), flags=re.IGNORECASE)
                wordings[text, place] = None
            names += [readable(name) for name in property_.names]
            named += [place] * len(property_.names)
            place += 1
    vectors = torch.from_numpy(encoder.encode(names))
    properties = torch.zeros(place, vectors.shape[1]).index_add_(0, torch.tensor(named), vectors)
    asked = torch.from_numpy(encoder.encode([text for text, _ in wordings]))
    asks = torch.tensor([number for _, number in wordings])
    return WordingMemory.of(asked, asks, nn.functional.normalize(properties, dim=-1), remembered=remembered)
