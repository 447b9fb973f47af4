"""The public endpoint on the real model, over the network of this machine: the same answer as the command gives."""

from __future__ import annotations

import contextlib

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.serving import real_app

FACTS = [
    ["Halden Workshop", "director", "Ingrid Solvang"],
    ["Laurel House", "director", "Tomasz Wilk"],
    ["Corvin Lathe", "price", "2,480 euros"],
]
KEYS = {"answer", "refused", "state", "kb_mass", "confidence", "sources", "nearest", "timing"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with real_app(tmp_path_factory.mktemp("api") / "app.log") as url:
        yield Client(url, verbose=False)


def ask(client: Client, question: str, facts: list, mode: str = "kblam") -> dict:
    return client.predict(question, facts, mode, api_name="/ask")


def test_an_answer_has_the_fields_of_the_command(client):
    answer = ask(client, "Who is the director of the Halden Workshop?", FACTS)
    assert set(answer) >= KEYS
    assert answer["state"] == "answered" and "Ingrid Solvang" in answer["answer"]
    assert answer["sources"][0]["value"] == "Ingrid Solvang"
    assert set(answer["sources"][0]) >= {"entity", "property", "value", "weight"}
    assert 0.0 <= answer["kb_mass"] <= 1.0 and answer["timing"]["tokens"] > 0


def test_the_facts_of_the_call_decide(client):
    changed = [["Halden Workshop", "director", "Priya Raman"], *FACTS[1:]]
    assert "Priya Raman" in ask(client, "Who is the director of the Halden Workshop?", changed)["answer"]


def test_refused_and_empty(client):
    refused = ask(client, "Who is the director of Linden House?", FACTS)
    assert refused["refused"] is True and refused["sources"] == [] and refused["nearest"]
    assert ask(client, "Who is the director of Linden House?", [])["state"] == "empty_table"


@pytest.mark.parametrize(
    ("question", "facts", "mode", "word"),
    [
        ("", FACTS, "kblam", "question"),
        ("x" * 10_000, FACTS, "kblam", "10,000"),
        ("Who?", [["only", "two"]], "kblam", "row 1"),
        ("Who?", FACTS, "no-such-mode", "mode"),
    ],
)
def test_wrong_calls_are_explained(client, question, facts, mode, word):
    with pytest.raises(AppError, match=word):
        ask(client, question, facts, mode)


def test_only_ask_is_offered(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert list(endpoints) == ["/ask"]


def test_a_second_start_finds_its_own_port(tmp_path):
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(real_app(tmp_path / f"{number}.log")) for number in range(2)]
        assert len(set(urls)) == 2
