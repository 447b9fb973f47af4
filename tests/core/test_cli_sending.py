"""A large table for an encoder behind HTTP: its cost is said on stderr, and a person at the terminal is asked first."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kblam_core import cli
from kblam_core.commands import shared
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.model import Kblam
from kblam_core.remote_encoder import RemoteEncoder
from tests.core.embedding_server import KEY, EmbeddingServer, embedding_server
from tests.core.fake_kblam import FakeKblam

SAID = "Sending 241 texts (about 966 tokens, about $0.0001) to text-embedding-ada-002 at 127.0.0.1"


@pytest.fixture
def server():
    with embedding_server() as running:
        yield running


@pytest.fixture
def arguments(server: EmbeddingServer, monkeypatch, tmp_path: Path) -> list[str]:
    """`encode` of a table of 60 facts with an encoder that asks the server."""
    encoder = RemoteEncoder("text-embedding-ada-002", base_url=server.url, api_key=KEY, cache=tmp_path / "cache.sqlite")
    fake = FakeKblam()
    fake.encoder = encoder
    fake.knowledge_base = lambda triples=(): KnowledgeBase(encoder, triples)
    monkeypatch.setattr(Kblam, "load", lambda *args, **options: fake)
    rows = "".join(f"Place {number},head,Person {number}\n" for number in range(60))
    (tmp_path / "facts.csv").write_text(f"entity,property,value\n{rows}")
    return ["encode", "--kb", str(tmp_path / "facts.csv"), "--out", str(tmp_path / "out.safetensors")]


@pytest.fixture
def person(monkeypatch):
    """Someone sits at the terminal and types this."""

    def types(text: str) -> None:
        monkeypatch.setattr(shared, "asking", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return types


def test_in_a_script_the_cost_is_one_line_and_nothing_is_asked(server, arguments, capsys):
    assert cli.main(arguments) == 0
    told = capsys.readouterr()
    assert told.err.count(SAID) == 1 and "Go on" not in told.err
    assert len(server.texts) == 241
    assert cli.main(arguments) == 0
    assert SAID not in capsys.readouterr().err, "what is known from the disk costs nothing"


def test_a_person_who_declines_sends_nothing(server, arguments, capsys, person):
    person("n\n")
    assert cli.main(arguments) == 130
    told = capsys.readouterr()
    assert SAID in told.err and "Go on? [y/N]" in told.err and told.out == ""
    assert not server.requests


def test_a_person_who_agrees_is_told_once(server, arguments, capsys, person):
    person("y\n")
    assert cli.main(arguments) == 0
    assert capsys.readouterr().err.count(SAID) == 1
    assert len(server.texts) == 241


def test_yes_asks_nothing_and_still_says_it(server, arguments, capsys, person):
    person("")
    assert cli.main([*arguments, "--yes"]) == 0
    told = capsys.readouterr().err
    assert told.count(SAID) == 1 and "Go on" not in told
    assert len(server.texts) == 241
