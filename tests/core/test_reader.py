"""The reader: a second view of the frozen backbone that reads a question with its facts and leaves the first view as it is."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from kblam_core import decoder
from kblam_core.adapter import AdapterConfig, KblamAdapter
from kblam_core.answer import AskOptions
from kblam_core.model import Kblam
from kblam_core.prior import COSINES, NOT_READ, READ
from kblam_core.reader import FACT_TOKENS, QUESTION_TOKENS, START_BIAS, FactReader, ReaderShape, ReaderWeights
from kblam_core.training import reader_stage
from kblam_core.training.reader_stage import ReaderItem, train_reader
from kblam_core.training.wording import hurried
from kblam_core.triples import Triple
from tests.core.tiny import ENCODER_WIDTH, HEAD_WIDTH, HEADS, LAYERS, WIDTH, HashEncoder, tiny_adapter, tiny_model, token_ids

FACTS = [
    Triple("Linden House", "head", "Ann"),
    Triple("Laurel House", "date_built", "1904"),
    Triple("Linden House", "opening hours", "9 to 5, closed on Mondays and on the first of each month"),
]
QUESTION = "Who runs Linden House?"


def made(backbone: torch.nn.Module, tokenizer, *, strong: bool = True) -> FactReader:
    torch.manual_seed(4)
    weights = ReaderWeights(ReaderShape.of(backbone, rank=4)).eval()
    if strong:
        with torch.no_grad():
            for parameter in weights.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return FactReader(backbone, tokenizer, weights)


@pytest.fixture
def reader(attached, tokenizer) -> FactReader:
    """Of each family, the KB branch attached."""
    return made(attached[0], tokenizer)


def test_untrained_it_says_that_nothing_answers(llama, tokenizer):
    assert made(llama[0], tokenizer, strong=False).logits(QUESTION, FACTS) == pytest.approx(START_BIAS)


def test_the_backbone_stays_what_it_was_bit_for_bit(attached, tokenizer):
    model, ids = attached[0], token_ids(2, 9)
    with torch.no_grad():
        before = model(input_ids=ids, knowledge=None).logits
        made(model, tokenizer).logits(QUESTION, FACTS)
        after = model(input_ids=ids, knowledge=None).logits
    assert torch.equal(before, after)


def test_no_weight_is_kept_twice(llama, tokenizer):
    model = llama[0]
    view = made(model, tokenizer)._model
    own = {id(tensor) for tensor in model.parameters()}
    frozen = [tensor for name, tensor in view.named_parameters() if ".extra." not in name]
    assert frozen and all(id(tensor) in own for tensor in frozen)


def test_facts_do_not_see_one_another(reader):
    together = reader.logits(QUESTION, FACTS)
    alone = np.concatenate([reader.logits(QUESTION, [fact]) for fact in FACTS])
    back = reader.logits(QUESTION, FACTS[::-1])[::-1]
    assert together == pytest.approx(alone, abs=1e-3) and together == pytest.approx(back, abs=1e-3)
    assert len(np.unique(together.round(3))) == len(FACTS), "it tells them apart"


def test_a_fact_sees_the_question(reader):
    assert not np.allclose(reader.logits(QUESTION, FACTS), reader.logits("How old is it?", FACTS), atol=1e-3)


def test_a_batch_says_what_each_question_says_alone(reader):
    asked = [(QUESTION, FACTS), ("When?", FACTS[:1]), ("When is the library of Linden House open on a Monday?", FACTS[1:])]
    for found, (question, facts) in zip(reader.logits_of(asked), asked, strict=True):
        assert found == pytest.approx(reader.logits(question, facts), abs=1e-3)


def test_long_texts_are_cut(llama, tokenizer):
    reader = made(llama[0], tokenizer)
    long = Triple("Дом учёных " * 100, "адрес " * 100, "улица " * 300)
    asked, (fact,) = reader.tokens("Где находится Дом учёных? " * 70, [long])
    assert len(asked) <= QUESTION_TOKENS + 1 and len(fact) <= FACT_TOKENS + 1
    assert np.isfinite(reader.logits("Где? " * 400, [long] * READ)).all()


def test_only_its_own_weights_learn(llama, tokenizer):
    reader = made(llama[0], tokenizer)
    torch.cat(reader.read([reader.tokens(QUESTION, FACTS)])).sum().backward()
    assert all(parameter.grad is not None for parameter in reader.weights.parameters())
    assert all(parameter.grad is None for parameter in llama[0].parameters())


class Stopped(Exception):
    pass


def test_training_tells_the_answer_from_the_rest_and_goes_on_after_a_stop(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(reader_stage, "CHECKPOINT_EVERY", 20)
    facts = [Triple(name, word, "x") for name in ("Ann", "Bo", "Cy", "Di") for word in ("head", "price")]
    asked = [ReaderItem(f"{one.property} of {one.entity}?", [one, *(other for other in facts if other is not one)][:4], 1) for one in facts]
    in_vain = [ReaderItem(f"price of {one.entity}?", [other for other in facts if other.entity != one.entity][:4], 0) for one in facts]

    def train(losses: dict[int, float], folder: str, *, stop: int = 0) -> None:
        def report(step: int, loss: float) -> None:
            losses[step] = loss
            if step == stop:
                raise Stopped

        reader = made(tiny_model(), tokenizer, strong=False)
        options = {"steps": 200, "batch_size": 16, "rate": 1e-2, "checkpoint": tmp_path / folder / "part.pt"}
        train_reader(reader, asked, in_vain, report=report, **options)

    whole: dict[int, float] = {}
    parts: dict[int, float] = {}
    train(whole, "whole")
    with pytest.raises(Stopped):
        train(parts, "parts", stop=25)
    train(parts, "parts")
    assert parts == pytest.approx(whole, abs=1e-4)
    assert np.mean([whole[step] for step in range(151, 201)]) < 0.8 * whole[1]


def test_some_questions_are_typed_in_a_hurry():
    question = "Who runs the Halden Workshop?"
    typed = [hurried(question, random.Random(seed)) for seed in range(300)]
    assert 0.5 < typed.count(question) / len(typed) < 0.8
    assert question.lower() in typed
    assert question[:-1] in typed
    assert any("orkshop" not in text and len(text) > len(question) - 3 for text in typed)  # a slip inside a long word
    assert all(text.casefold().startswith("who runs the ") for text in typed)
    assert [hurried(text, random.Random(seed)) for seed in range(30) for text in ("", "?", "a b")].count("") == 30


def test_it_is_stored_with_the_adapter(tmp_path, tokenizer):
    model = tiny_model()
    shape = ReaderShape.of(model, rank=4).to_dict()
    adapter = KblamAdapter(AdapterConfig("tiny", "hashes", ENCODER_WIDTH, WIDTH, HEADS, HEAD_WIDTH, LAYERS, reader=shape))
    with torch.no_grad():
        for parameter in adapter.reader.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    decoder.attach(model, adapter)
    before = FactReader(model, tokenizer, adapter.reader).logits(QUESTION, FACTS)
    adapter.save(tmp_path)
    again = FactReader(model, tokenizer, KblamAdapter.load(tmp_path).reader).logits(QUESTION, FACTS)
    assert again == pytest.approx(before, rel=0.1, abs=0.1)


def test_a_few_facts_are_read_and_what_it_says_counts(tokenizer):
    adapter = tiny_adapter().requires_grad_(False)
    kblam = Kblam(tiny_model(), tokenizer, HashEncoder(), adapter)
    base = kblam.knowledge_base([Triple(f"House {number}", "head", f"Ann {number}") for number in range(20)])
    asked: list[list[Triple]] = []

    class LikesTheThird:
        def logits(self, question: str, triples: list[Triple]) -> np.ndarray:
            asked.append(triples)
            return np.array([9.0 if place == 2 else NOT_READ for place in range(len(triples))], dtype=np.float32)

    kblam._reader = LikesTheThird()
    network = adapter.prior
    for parameter in network.parameters():
        parameter.zero_()
    network.first[0].weight[0, len(COSINES) + 1] = 1.0  # it listens to the reader alone
    network.second[0].weight[0, 0] = 1.0
    network.second[3].weight[0, 0] = 3.0
    rows, logits = kblam.rank(base, "head of House 3?", options=AskOptions())
    assert len(asked) == 1 and len(asked[0]) == READ
    assert base.triples[rows[int(np.argmax(logits))]] == asked[0][2]
