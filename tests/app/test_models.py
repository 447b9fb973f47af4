"""Choosing a model on the page: what is offered, loading on demand, and words where it does not fit."""

from __future__ import annotations

import json

import pytest

from app.handlers import chat
from app.host import ModelHost
from app.models import Choice, Models, find_choices
from app.render import bubble
from app.session import Session
from kblam_core import InputError, NotEnoughMemoryError
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.remote_encoder import RemoteEncoder
from tests.app.fakes import FakeEncoder, FakeKblam
from tests.core.embedding_server import KEY, embedding_server

QUESTION = "Who is the director of Halden Workshop?"


def ask(session: Session, host: ModelHost, question: str = QUESTION) -> list[str]:
    """Every state of the answer that the visitor sees."""
    chat.accept(session, None, question)
    return [bubble(session.turns[-1], session.lang) for _ in chat.stream(session, host, "kblam", 0.3)]


def folder_with(path, backbone: str) -> str:
    path.mkdir(parents=True)
    (path / "adapter.json").write_text(json.dumps({"backbone": backbone}))
    return str(path)


def test_without_options_the_shipped_model_is_the_choice():
    assert find_choices(None) == {"smollm2-135m": Choice("smollm2-135m", None)}
    assert list(find_choices("smollm2-135m")) == ["smollm2-135m"]
    assert list(find_choices("llama-3.2-1b")) == ["llama-3.2-1b", "smollm2-135m"]


def test_given_adapters_come_first_then_those_of_the_folder_then_the_shipped_ones(tmp_path):
    mine = folder_with(tmp_path / "mine", "llama-3.2-1b")
    folder_with(tmp_path / "all" / "mine", "llama-3.2-1b")
    folder_with(tmp_path / "all" / "other", "some/folder/phi")
    (tmp_path / "all" / "notes").mkdir()
    found = find_choices(None, [mine, "owner/name"], str(tmp_path / "all"))
    assert list(found) == ["llama-3.2-1b · mine", "owner/name", "llama-3.2-1b · mine (2)", "phi · other", "smollm2-135m"]
    assert found["llama-3.2-1b · mine"] == Choice(None, mine)
    assert list(find_choices("phi-3-mini", [mine])) == ["phi-3-mini · mine", "smollm2-135m"]


def test_a_folder_without_adapters_is_said_in_words(tmp_path):
    with pytest.raises(InputError, match="no adapter in the folders of"):
        find_choices(None, folder=str(tmp_path))


def test_another_model_is_loaded_when_it_is_chosen_and_answers_from_then_on(session):
    loaded: list[str] = []
    fakes = {name: FakeKblam() for name in ("first", "second")}
    models = Models([ModelHost(lambda name=name: loaded.append(name) or fakes[name], name=name) for name in fakes])
    assert models.names == ["first", "second"]
    ask(session, models.named(session.model))
    assert loaded == ["first"] and session.turns[-1].model == "first"
    chat.choose(session, models, "second")
    assert models.named("second").wait(5)
    assert session.model == "second" and loaded == ["first", "second"]
    ask(session, models.named(session.model))
    assert session.turns[-1].model == "second" and len(fakes["second"].asked) == 1
    chat.choose(session, models, "first")
    assert loaded == ["first", "second"], "what was loaded stays"
    assert models.named("gone") is models.default


def test_facts_are_encoded_anew_for_another_encoder_only(session):
    same, other = FakeKblam(), FakeKblam()
    other.encoder = FakeEncoder()
    other.encoder.name = "other"
    hosts = [ModelHost(lambda model=model: model) for model in (FakeKblam(), same, other)]
    ask(session, hosts[0])
    first = session.kb
    ask(session, hosts[1])
    assert session.kb is first
    ask(session, hosts[2])
    assert session.kb is not first


def test_a_model_that_does_not_fit_says_so_in_the_banner(session):
    def load():
        raise NotEnoughMemoryError("The model 'llama-3-8b' in float32 needs about 33 GB of memory, and 7.0 GB are free on this machine.")

    models = Models([ModelHost(FakeKblam, name="small"), ModelHost(load, name="large")])
    chat.choose(session, models, "large")
    assert models.named("large").wait(5)
    banner, _ = chat.banner(session, models.named(session.model))
    assert "needs about 33 GB of memory, and 7&#46;0 GB are free" in banner
    assert "needs about 33 GB" in ask(session, models.named("large"))[-1]
    chat.choose(session, models, "small")
    assert models.named("small").wait(5)
    assert chat.banner(session, models.named(session.model))[0] == ""


@pytest.mark.parametrize(("lang", "words"), [("en", "Sending 241 texts"), ("ru", "Отправляю 241 текстов")])
def test_what_an_encoder_behind_http_is_sent_is_said_before_it_is_sent(session, tmp_path, lang, words):
    session.lang = lang
    session.draft.replace([(f"Place {number}", "head", f"Person {number}") for number in range(60)], undoable=False)
    with embedding_server() as server:
        model = FakeKblam()
        model.encoder = RemoteEncoder("text-embedding-ada-002", base_url=server.url, api_key=KEY, cache=tmp_path / "cache.sqlite")
        model.knowledge_base = lambda triples=(): KnowledgeBase(model.encoder, triples)
        chat.accept(session, None, QUESTION)
        sent_when_said = [
            len(server.requests)
            for _ in chat.stream(session, ModelHost(lambda: model), "kblam", 0.3)
            if words in bubble(session.turns[-1], lang)
        ]
        assert sent_when_said == [0], "said once, before anything was sent"
        assert len(server.texts) > 100
        del server.requests[:]
        assert not any(words in state for state in ask(session, ModelHost(lambda: model)))
        assert not server.requests
