"""/v1 beside the page, asked with the real openai client over the network of this machine."""

from __future__ import annotations

import json
import threading

import httpx
import openai
import pytest

from app import host as hosts
from app.handlers import completions
from app.tables import TableStore
from kblam_core import KblamError, ServiceError
from tests.app.conftest import ROWS
from tests.app.fakes import FakeKblam
from tests.serving import app_with

FACTS = [list(row) for row in ROWS]
ASKED = "Who is the director of Halden Workshop?"


class Model(FakeKblam):
    """Notes its bases, and waits before the second word while `gate` is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.bases = []
        self.gate, self.waiting = threading.Event(), threading.Event()
        self.gate.set()

    def knowledge_base(self, triples):
        self.bases.append(super().knowledge_base(triples))
        return self.bases[-1]

    def stream(self, kb, question, *, history=(), options=None):
        for number, part in enumerate(super().stream(kb, question, history=history, options=options)):
            if number == 1:
                self.waiting.set()
                assert self.gate.wait(30)
            yield part


@pytest.fixture(scope="module")
def served():
    model = Model()
    with app_with(lambda: model) as url:
        yield model, url


@pytest.fixture
def model(served) -> Model:
    served[0].error = None
    served[0].asked.clear()
    return served[0]


@pytest.fixture
def client(served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served[1]}/v1", api_key="any", max_retries=0)


def ask(client: openai.OpenAI, question: str = ASKED, *, facts: object = FACTS, **more):
    extra = {"triples": facts} | more.pop("extra_body", {})
    return client.chat.completions.create(model="kblam", messages=[{"role": "user", "content": question}], extra_body=extra, **more)


def test_the_table_travels_in_the_request(client, model):
    answer = ask(client)
    choice = answer.choices[0]
    assert choice.message.content == "The director of Halden Workshop is Ingrid Solvang." and choice.message.role == "assistant"
    assert choice.finish_reason == "stop" and answer.object == "chat.completion" and answer.model == "kblam"
    assert answer.usage.prompt_tokens == 7 and answer.usage.total_tokens == 7 + answer.usage.completion_tokens
    assert answer.kblam["refused"] is False and answer.kblam["sources"][0]["value"] == "Ingrid Solvang"
    rows = [{"entity": "Halden Workshop", "property": "director", "value": "Priya Raman"}]
    assert "Priya Raman" in ask(client, facts=rows).choices[0].message.content


def test_a_stream_is_the_same_answer_in_pieces(client, model):
    whole = ask(client).choices[0].message.content
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-2].kblam["sources"]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_streaming_helper_and_the_async_client_work(served):
    import asyncio

    async def talk() -> str:
        async with openai.AsyncOpenAI(base_url=f"{served[1]}/v1", api_key="any") as client:
            given = {"model": "kblam", "messages": [{"role": "user", "content": ASKED}], "extra_body": {"triples": FACTS}}
            async with client.chat.completions.stream(**given) as stream:
                return (await stream.get_final_completion()).choices[0].message.content

    assert "Ingrid Solvang" in asyncio.run(talk())


def test_a_stream_comes_while_the_answer_is_made(client, model):
    model.gate.clear()
    with ask(client, stream=True) as chunks:
        pieces = iter(chunks)
        next(pieces)
        assert next(pieces).choices[0].delta.content, "the first word is there before the second is made"
        model.gate.set()
        assert len(list(pieces)) > 3


def test_a_table_is_sent_once_and_named_by_id(client, served, model):
    _, url = served
    made = httpx.post(f"{url}/v1/tables", json={"triples": [*FACTS, ["", "no", "entity"]]})
    assert made.status_code == 201
    table = made.json()
    assert table["facts"] == 3 and table["problems"][0]["kind"] == "empty_cell" and table["expires_after"] == 3600
    before = len(model.bases)
    for _ in range(2):
        assert "Ingrid Solvang" in ask(client, facts=None, extra_body={"table": table["id"]}).choices[0].message.content
    assert len(model.bases) - before == 1, "the second question finds the base encoded"
    assert httpx.get(f"{url}/v1/tables/{table['id']}").json()["facts"] == 3
    assert httpx.delete(f"{url}/v1/tables/{table['id']}").json()["deleted"] is True
    with pytest.raises(openai.NotFoundError, match="no such table"):
        ask(client, facts=None, extra_body={"table": table["id"]})


def test_a_table_may_be_csv(client, served):
    text = "entity,property,value\nHalden Workshop,director,Mara Lund\n"
    made = httpx.post(f"{served[1]}/v1/tables", content=text, headers={"Content-Type": "text/csv; charset=utf-8"})
    assert made.json()["facts"] == 1
    answer = ask(client, facts=None, extra_body={"table": made.json()["id"]})
    assert "Mara Lund" in answer.choices[0].message.content


def test_earlier_turns_and_options_reach_the_model(client, model):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Who runs Laurel House?"},
        {"role": "assistant", "content": "Tomasz Wilk."},
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
    ]
    extra = {"triples": FACTS, "mode": "no-copy", "threshold": 0.4, "top_k": 7}
    client.chat.completions.create(model="gpt-4o", messages=messages, max_tokens=9, temperature=0.7, seed=1, extra_body=extra)
    question, history, options = model.asked[-1]
    assert question == ASKED and history == (("Who runs Laurel House?", "Tomasz Wilk."),)
    assert (options.mode, options.threshold, options.top_k, options.max_new_tokens) == ("no-copy", 0.4, 7, 9)


def test_a_cut_answer_says_so_and_a_refusal_is_marked(client):
    assert ask(client, max_tokens=2).choices[0].finish_reason == "length"
    refused = ask(client, "What is the meaning of life?")
    assert refused.kblam["refused"] is True and refused.kblam["nearest"]
    assert ask(client, facts=[]).kblam["state"] == "empty_table"


def test_models_are_listed(client):
    assert [model.id for model in client.models.list()] == ["kblam"]


# -------------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"facts": None}, "Give the facts as 'triples'"),
        ({"facts": "Halden"}, "triples: expected a list"),
        ({"facts": [["a", "b"]]}, "triples, row 1"),
        ({"extra_body": {"table": "both"}}, "Give the facts as 'triples'"),
        ({"extra_body": {"mode": "none"}}, "Unknown mode 'none'"),
        ({"extra_body": {"threshold": 7}}, "threshold must lie"),
        ({"extra_body": {"threshold": "high"}}, "must be numbers"),
        ({"extra_body": {"messages": []}}, "must end with a message of the user"),
        ({"extra_body": {"messages": "hello"}}, "must be a list"),
        ({"extra_body": {"messages": [{"role": "assistant", "content": "x"}]}}, "must end with a message of the user"),
        ({"extra_body": {"messages": [{"role": "tool", "content": "x"}]}}, "role 'tool'"),
        ({"extra_body": {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}}, "must be text"),
        ({"extra_body": {"messages": [{"role": "user", "content": None}]}}, "must be text"),
        ({"question": "  "}, "question"),
        ({"question": "x" * 10_000}, "10,000 characters"),
        ({"n": 2}, "'n' must be 1"),
        ({"max_tokens": -1}, "'max_tokens'"),
        ({"stop": ["."]}, "'stop' is not supported"),
        ({"response_format": {"type": "json_object"}}, "'response_format' must be text"),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_the_client(client, change, words):
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        ask(client, **change)
    assert caught.value.type == "invalid_request_error" and caught.value.body["message"]


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b"[]", 400), (b"", 400), (b"[" * 100_000, 400), (b" " * 20_000_001, 413)])
@pytest.mark.parametrize("path", ["chat/completions", "tables"])
def test_other_bodies_are_refused(served, content, status, path):
    answer = httpx.post(f"{served[1]}/v1/{path}", content=content, timeout=30)
    assert answer.status_code == status and answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "chat/completions"), ("POST", "embeddings"), ("GET", "tables"), ("PUT", "tables/x")])
def test_unknown_addresses_answer_in_the_same_form(served, method, path):
    answer = httpx.request(method, f"{served[1]}/v1/{path}")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "unknown_url"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ServiceError("The embedding service is away."), 502, "embedding service is away"),
        (KblamError("The weights are gone."), 503, "weights are gone"),
        (RuntimeError("a secret"), 500, "(?!.*secret)"),
    ],
)
def test_errors_of_the_model_have_a_status(client, model, error, status, words, stream):
    model.error = error
    with pytest.raises(openai.APIStatusError, match=words) as caught:
        ask(client, stream=stream)
    assert caught.value.status_code == status


def test_an_error_halfway_ends_the_stream_with_words(client, model, monkeypatch):
    def half(*_):
        yield "The "
        raise KblamError("The GPU was taken away.")

    monkeypatch.setattr(hosts, "run", half)
    pieces = []
    with pytest.raises(openai.APIError, match="GPU was taken away"):
        pieces.extend(ask(client, stream=True))
    assert ask_again(client, monkeypatch)


def ask_again(client, monkeypatch) -> bool:
    monkeypatch.undo()
    return "Ingrid Solvang" in ask(client).choices[0].message.content


def test_too_many_at_once_are_asked_to_come_back_and_a_client_that_leaves_gives_its_place_back(served, monkeypatch):
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    model, _ = served
    host = hosts.ModelHost(lambda: model)
    host.start()
    assert host.wait(30)
    body = {"messages": [{"role": "user", "content": ASKED}], "triples": FACTS}
    with TestClient(Starlette(routes=completions.routes(host, at_once=1))) as local:
        model.gate.clear()
        done = []
        first = threading.Thread(target=lambda: done.append(local.post("/v1/chat/completions", json=body)))
        model.waiting.clear()
        first.start()
        assert model.waiting.wait(30)
        refused = local.post("/v1/chat/completions", json=body)
        assert refused.status_code == 429 and refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        model.gate.set()
        first.join(30)
        assert done[0].status_code == 200
        assert local.post("/v1/chat/completions", json=body).status_code == 200


def test_clients_that_leave_in_the_middle_give_their_places_back(client, served, model):
    model.delay = 0.02
    try:
        for _ in range(completions.AT_ONCE + 1):
            with ask(client, stream=True) as chunks:
                next(iter(chunks))
    finally:
        model.delay = 0.0
    patient = openai.OpenAI(base_url=f"{served[1]}/v1", api_key="any", max_retries=5)
    assert "Ingrid Solvang" in ask(patient).choices[0].message.content


def test_a_model_that_did_not_load_is_said(tmp_path):
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    def fail():
        raise KblamError("No weights here.")

    with TestClient(Starlette(routes=completions.routes(hosts.ModelHost(fail)))) as local:
        answer = local.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Who?"}], "triples": []})
    assert answer.status_code == 503 and answer.json()["error"]["message"] == "No weights here."


def test_the_page_is_still_there_and_its_api_is_unchanged(served):
    assert "gradio" in httpx.get(served[1]).text
    assert list(json.loads(httpx.get(f"{served[1]}/gradio_api/info").text)["named_endpoints"]) == ["/ask"]


# --------------------------------------------------------------------------------------------------------------------- store
def test_the_store_is_bounded_in_number_facts_and_age():
    now = [0.0]
    store = TableStore(max_tables=3, max_facts=10, max_age=60, clock=lambda: now[0])
    ids = [store.add(["fact"] * 2).id for _ in range(3)]
    assert len(set(ids)) == 3
    assert store.get(ids[0])
    ids.append(store.add(["fact"]).id)
    assert [store.get(one) is not None for one in ids] == [True, False, True, True], "what was used longest ago goes first"
    big = store.add(["fact"] * 10).id
    assert len(store) == 1 and store.get(big)
    now[0] = 61
    assert store.get(big) is None
    assert store.remove(big) is False
