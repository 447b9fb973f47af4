"""A session with a small table, and a model host that answers at once."""

from __future__ import annotations

import pytest

from app.host import ModelHost
from app.session import Session
from tests.app.fakes import FakeKblam

ROWS = [
    ("Halden Workshop", "director", "Ingrid Solvang"),
    ("Laurel House", "director", "Tomasz Wilk"),
    ("Corvin Lathe", "price", "2,480 euros"),
]


@pytest.fixture
def session() -> Session:
    session = Session()
    session.draft.replace(ROWS, undoable=False)
    return session


@pytest.fixture
def model() -> FakeKblam:
    return FakeKblam()


@pytest.fixture
def host(model: FakeKblam) -> ModelHost:
    host = ModelHost(lambda: model)
    host.start()
    assert host.wait(5)
    return host
