"""Fixtures of the core tests: nothing here loads weights from anywhere."""

from __future__ import annotations

import pytest
import torch

from kblam_core import decoder
from kblam_core.model import Kblam
from tests.core.tiny import FAMILIES, HashEncoder, byte_tokenizer, tiny_adapter, tiny_model


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny products are faster on one thread, and their sums have one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=list(FAMILIES))
def family(request) -> str:
    return request.param


@pytest.fixture
def attached(family):
    """(model, adapter) of each family, the KB branch attached."""
    model, adapter = tiny_model(family), tiny_adapter()
    decoder.attach(model, adapter)
    return model, adapter


@pytest.fixture
def llama():
    """(model, adapter) of the default family, the KB branch attached."""
    model, adapter = tiny_model(), tiny_adapter()
    decoder.attach(model, adapter)
    return model, adapter


@pytest.fixture(scope="session")
def tokenizer():
    return byte_tokenizer()


@pytest.fixture
def encoder() -> HashEncoder:
    return HashEncoder()


@pytest.fixture
def kblam(tokenizer, encoder) -> Kblam:
    """The whole facade on a tiny random Llama: nonsense answers, real mechanics."""
    return Kblam(tiny_model(), tokenizer, encoder, tiny_adapter().requires_grad_(False))
