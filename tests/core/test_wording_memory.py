"""The wording memory: a question is compared with those asked before, and brings the property that they asked for."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.training.catalogue import Domain, Property
from kblam_core.training.memory_stage import remember
from kblam_core.wording_memory import WordingMemory, recall

WIDTH = 48


class WordEncoder:
    """Unit vectors that are sums of random vectors, one a word."""

    width = WIDTH

    def encode(self, texts):
        found = np.zeros((len(texts), WIDTH), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            for word in text.casefold().strip("?").split():
                row += np.random.default_rng(sum(word.encode())).standard_normal(WIDTH).astype(np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def domain() -> Domain:
    height = Property(("elevation", "height_m"), "measure:m", (), ("How high does {e} rise?", "How high is the {e}?"), ())
    ruler = Property(("ruler", "king"), "person", (), ("Who reigns over {e}?", "Whom does {e} obey?"), ())
    return Domain("places", "place", ("Corvin",), (height, ruler))


def memory(remembered: int = WIDTH) -> WordingMemory:
    return remember(WordEncoder(), [domain()], remembered=remembered)


def test_a_wording_expects_the_property_it_asked_for():
    encoder, made = WordEncoder(), memory()
    for text, name in (("How high does it rise?", "elevation"), ("how high is it", "elevation"), ("Who reigns over it?", "ruler")):
        expected, familiar = recall(made, encoder.encode([text]))
        found = expected[0]
        match = {other: float(found @ encoder.encode([other])[0]) for other in ("elevation", "ruler")}
        assert max(match, key=match.get) == name
        assert np.linalg.norm(found) <= 1 + 1e-5
        assert abs(familiar[0] - 1) < 1e-4


def test_without_a_memory_nothing_is_expected():
    expected, familiar = recall(None, np.ones((3, WIDTH), dtype=np.float32))
    assert not expected.any()
    assert familiar.shape == (3,)


def test_an_adapter_keeps_its_memory_in_bytes(tmp_path):
    adapter = KblamAdapter(AdapterConfig("tiny", "words", WIDTH, 16, 2, 8, (0, 1)))
    source = torch.Generator().manual_seed(0)
    wordings, properties = (nn.functional.normalize(torch.randn(count, WIDTH, generator=source), dim=-1) for count in (500, 300))
    adapter.remember(WordingMemory.of(wordings, torch.arange(500) % 300, properties, remembered=32))
    back = KblamAdapter.load(adapter.save(tmp_path / "adapter"))
    readings = wordings[:20].numpy()
    for found, wanted in zip(recall(back.memory, readings), recall(adapter.memory, readings), strict=True):
        np.testing.assert_allclose(found, wanted, atol=0.02)
    assert back.config.memory == {"wordings": 500, "properties": 300, "remembered": 32}
