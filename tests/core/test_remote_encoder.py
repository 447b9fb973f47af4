"""Embeddings over HTTP, against a real server on this machine: batches, cache, cost, and everything a service can do wrong."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import numpy as np
import pytest

from kblam_core.encoders import LocalEncoder, load_encoder
from kblam_core.errors import KblamError, MissingWeightsError, ServiceError, UnsupportedModelError
from kblam_core.knowledge_base import KnowledgeBase
from kblam_core.model import Kblam
from kblam_core.remote_encoder import BATCH_TEXTS, RemoteEncoder
from kblam_core.triples import Triple
from tests.core.embedding_server import KEY, EmbeddingServer, body, embedding_server, silence, status
from tests.core.tiny import tiny_adapter, tiny_model

ADA = "text-embedding-ada-002"


@pytest.fixture
def server():
    with embedding_server() as running:
        yield running


@pytest.fixture
def make(server, tmp_path):
    def encoder(name: str = ADA, **options) -> RemoteEncoder:
        given = {"base_url": server.url, "api_key": KEY, "cache": tmp_path / "cache.sqlite", "retries": 2}
        return RemoteEncoder(name, **given | options)

    return encoder


def close_to(server: EmbeddingServer, texts: list[str], vectors: np.ndarray) -> bool:
    expected = np.stack([server.vector(text) for text in texts])
    return np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-3)


@pytest.mark.parametrize("as_base64", [True, False])
def test_vectors_come_in_the_order_of_the_texts_and_have_unit_length(server, make, as_base64):
    server.as_base64 = as_base64
    texts = ["Halden", "a workshop", "Halden", "灯台", ""]
    vectors = make().encode(texts)
    assert vectors.shape == (5, 1536) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert close_to(server, ["Halden", "a workshop", "Halden", "灯台", " "], vectors)
    assert server.texts == ["Halden", "a workshop", "灯台", " "], "a text is sent once, and never empty"


def test_it_is_chosen_by_name_with_address_and_key_from_the_environment(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("KBLAM_CACHE", str(tmp_path))
    for name, recorded in ((ADA, ADA), (f"openai:{ADA}", ADA), ("openai:nomic", "openai:nomic")):
        encoder = load_encoder(name)
        assert encoder.name == recorded
        assert encoder.encode(["x"]).shape == (1, encoder.width)
    assert [request["model"] for request in server.requests] == [ADA, "nomic"], "the second name is the first one's model"
    assert list(tmp_path.iterdir()), "the cache lies where weights are kept"


def test_the_width_of_an_unknown_model_is_asked_for_once(server, make):
    server.width = 24
    encoder = make("openai:nomic")
    assert encoder.encode([]).shape == (0, 24)
    assert encoder.width == 24
    assert len(server.requests) == 1


def test_a_large_table_is_sent_in_batches_and_its_cost_is_said_first(server, make, caplog):
    texts = [f"fact number {number}" for number in range(600)]
    with caplog.at_level(logging.WARNING):
        vectors = make().encode(texts)
    assert close_to(server, texts, vectors)
    assert [len(request["input"]) for request in server.requests] == [BATCH_TEXTS, BATCH_TEXTS, 600 - 2 * BATCH_TEXTS]
    (said,) = caplog.messages
    assert "600 texts" in said and "2,222 tokens" in said and "$0.0002" in said and "127.0.0.1" in said


def test_few_texts_are_sent_without_a_word(make, caplog):
    make().encode(["one", "two"])
    assert not caplog.messages


def test_the_price_of_an_unknown_model_is_not_invented(make):
    assert "price that is not known" in str(make("openai:nomic").cost(["one"]))


def test_long_texts_make_smaller_batches(server, make):
    make().encode([f"{number}" + "x" * 60_000 for number in range(3)])
    assert [len(request["input"]) for request in server.requests] == [1, 1, 1]


def test_the_disk_cache_outlives_the_process_and_knows_the_model(server, make):
    server.width = 8
    first = make("openai:one").encode(["a", "b"])
    again = make("openai:one").encode(["b", "a"])
    assert len(server.requests) == 1
    assert np.array_equal(first[::-1], again), "sent or kept, a text has the same vector"
    make("openai:two").encode(["a"])
    assert len(server.requests) == 2


def test_another_service_is_not_answered_from_the_cache_of_the_first(server, make):
    server.width = 8
    make("openai:local").encode(["a"])
    with embedding_server() as other:
        other.width = 12
        assert make("openai:local", base_url=other.url).encode(["a"]).shape == (1, 12)


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, None])
def test_a_cache_that_cannot_be_used_is_gone_without(server, make, tmp_path, caplog, content):
    path = tmp_path / "broken.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    assert close_to(server, ["a"], make(cache=path).encode(["a"]))
    assert "cannot be used" in caplog.text
    assert path.is_dir() or path.read_bytes() == content


# -------------------------------------------------------------------------------------------------------------------- faults
def test_a_rate_limit_is_waited_out_for_as_long_as_it_says(server, make):
    server.faults.append(status(429, Retry_After="1"))
    assert close_to(server, ["a"], make().encode(["a"]))
    assert server.times[1] - server.times[0] >= 0.95


def test_server_errors_are_tried_again_after_growing_pauses(server, make):
    server.faults.extend([status(500), status(503)])
    assert close_to(server, ["a"], make().encode(["a"]))
    one, two, three = server.times
    assert three - two > two - one > 0.3


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (status(429, Retry_After="0.01"), ServiceError, "limits the rate"),
        (status(500, "the disk is full"), ServiceError, "error 500.*the disk is full"),
        (status(400, "too many tokens"), ServiceError, "error 400.*too many tokens"),
        (status(404), MissingWeightsError, f"no model '{ADA}'"),
        (status(403), MissingWeightsError, "refused the key"),
        (body("<html>hello</html>", "text/html"), ServiceError, "did not answer with embeddings"),
        (body("{"), ServiceError, "did not answer with embeddings"),
        (body("[]"), ServiceError, "did not answer with embeddings"),
        (body("null"), ServiceError, "did not answer with embeddings"),
        (body('{"data": []}'), ServiceError, "did not answer with embeddings"),
        (body('{"data": [{"index": 0, "embedding": "@@@"}]}'), ServiceError, "0 wide, but"),
        (body('{"data": [{"index": 0, "embedding": null}]}'), ServiceError, "do not fit"),
        (body('{"data": [{"index": 0}]}'), ServiceError, "do not fit"),
        (body(json.dumps({"data": [{"index": 1, "embedding": [1.0] * 1536}]})), ServiceError, "do not fit the 1 texts"),
        (body(json.dumps({"data": [{"index": 0, "embedding": [1.0] * 384}]})), ServiceError, "384 wide, but.*1536 wide"),
        (body(json.dumps({"data": [{"index": 0, "embedding": [0.0] * 1536}]})), ServiceError, "zero or not a number"),
        (body('{"data": [{"index": 0, "embedding": [' + "NaN," * 1535 + "1]}]}"), ServiceError, "zero or not a number"),
    ],
)
def test_what_does_not_pass_is_said_in_words(server, make, fault, kind, words):
    encoder = make(retries=1)
    server.faults.extend([fault] * 2)
    with pytest.raises(kind, match=words) as caught:
        encoder.encode(["a"])
    assert isinstance(caught.value, KblamError) and "\n" not in str(caught.value)
    server.faults.clear()
    assert close_to(server, ["a"], encoder.encode(["a"])), "nothing wrong was kept"


def test_a_wrong_key_is_said_without_showing_any(server, make):
    with pytest.raises(MissingWeightsError, match=r"refused the key.*OPENAI_API_KEY") as caught:
        make(api_key="sk-test-wrong").encode(["a"])
    assert "sk-" not in str(caught.value)
    assert len(server.requests) == 1, "a wrong key stays wrong"


def test_no_key_at_all_is_said_at_once(make, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingWeightsError, match="set OPENAI_API_KEY"):
        make(api_key=None)
    with pytest.raises(MissingWeightsError, match="needs the name of a model"):
        make("openai:")


def test_a_service_that_does_not_answer_is_given_up(server, make):
    server.faults.extend([silence(0.6)] * 2)
    with pytest.raises(ServiceError, match="did not answer in time"):
        make(timeout=0.2, retries=1).encode(["a"])
    assert len(server.requests) == 2


def test_a_service_that_is_not_there_is_said_in_words(make):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with pytest.raises(ServiceError, match=rf"127.0.0.1:{port} cannot be reached"):
        make(base_url=f"http://someone:secret@127.0.0.1:{port}/v1", retries=0).encode(["a"])


def test_what_was_answered_before_a_failure_is_not_sent_again(server, make):
    texts = [f"text {number}" for number in range(2 * BATCH_TEXTS)]
    server.faults.extend([lambda handler: body(json.dumps(server.answer(server.requests[-1])))(handler), status(500)])
    encoder = make(retries=0)
    with pytest.raises(ServiceError):
        encoder.encode(texts)
    encoder.encode(texts)
    assert server.texts[2 * BATCH_TEXTS :] == texts[BATCH_TEXTS:]


# --------------------------------------------------------------------------------------------------------------- the whole
def test_a_table_is_asked_through_a_remote_encoder(server, make, tokenizer):
    server.width = 16
    kblam = Kblam(tiny_model(), tokenizer, make("openai:hashes"), tiny_adapter(encoder="openai:hashes").requires_grad_(False))
    base = kblam.knowledge_base([Triple("Halden", "head", "Ingrid"), Triple("Linden", "head", "Aksel")])
    assert kblam.ask(base, "Who is the head of Halden?").nearest
    sent = len(server.texts)
    base.edit(1, Triple("Linden", "head", "Priya"))
    assert 0 < len(server.texts) - sent < 4, "an edit sends what changed"


def test_both_names_of_a_model_are_the_same_encoder(make, tokenizer):
    for name in (ADA, f"openai:{ADA}"):
        with pytest.raises(UnsupportedModelError, match="16 wide, but the encoder of that name is now 1536 wide"):
            Kblam(tiny_model(), tokenizer, make(name), tiny_adapter(encoder=f"openai:{ADA}"))


def test_an_adapter_of_another_encoder_is_refused(server, make, tokenizer):
    with pytest.raises(UnsupportedModelError, match=f"trained with the encoder 'hashes', not with '{ADA}'"):
        Kblam(tiny_model(), tokenizer, make(), tiny_adapter())
    server.width = 12
    with pytest.raises(UnsupportedModelError, match="16 wide, but the encoder of that name is now 12 wide"):
        Kblam(tiny_model(), tokenizer, make("openai:hashes"), tiny_adapter(encoder="openai:hashes"))


# ------------------------------------------------------------------------------------------------- sentence-transformers models
def tiny_sentence_transformer(folder: Path) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "runs", "halden", "the", "head", "of"]
    (folder / "bert").mkdir()
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(folder / "bert")
    SentenceTransformer(modules=[Transformer(str(folder / "bert")), Pooling(16)], device="cpu").save(str(folder / "encoder"))
    return folder / "encoder"


def test_any_sentence_transformers_model_is_named_by_its_folder(tmp_path, tokenizer):
    folder = str(tiny_sentence_transformer(tmp_path))
    encoder = load_encoder(folder)
    assert isinstance(encoder, LocalEncoder) and encoder.name == folder and encoder.width == 16
    vectors = encoder.encode(["who runs halden", "the head of halden"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    base = KnowledgeBase(encoder, [Triple("Halden", "head", "Ingrid")])
    path = base.save(tmp_path / "base.safetensors")
    assert KnowledgeBase.load(path, load_encoder(folder)).triples == base.triples
    kblam = Kblam(tiny_model(), tokenizer, encoder, tiny_adapter(encoder=folder).requires_grad_(False))
    assert kblam.ask(base, "Who runs Halden?").nearest[0].entity == "Halden"


@pytest.mark.parametrize("name", ["no-such-folder/at/all", ""])
def test_a_model_that_is_not_there_is_said_in_words(tmp_path, name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingWeightsError, match="could not be loaded"):
        LocalEncoder(name or str(tmp_path))
