"""The whole answer on a tiny random Llama: drafts, streams, traces, and questions that go wrong."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from kblam_core import decoding
from kblam_core.adapter import KblamAdapter
from kblam_core.answer import MODES, Answer, AskOptions
from kblam_core.decoding import decode_plain
from kblam_core.errors import InputError, UnsupportedModelError
from kblam_core.model import Kblam
from kblam_core.prompt import REFUSAL, SYSTEM, UNGROUNDED, Sentences, build_prompt, chat_text, fact_sentence
from kblam_core.triples import Triple
from tests.core.tiny import HEADS, LAYERS, HashEncoder, byte_tokenizer, tiny_adapter, tiny_model

TABLE = [
    Triple("Halden Workshop", "head", "Ingrid Solberg"),
    Triple("Halden Workshop", "budget", "4,000 €"),
    Triple("Linden House", "head", "Aksel Rød 🛠️"),
    Triple("灯台", "高さ", "31 m"),
    Triple("Laurel House", "date_built", "1904"),
]
QUESTIONS = ("Who is the head of Halden Workshop?", "灯台の高さは?", "head and budget of Halden Workshop", "What is the meaning of life?")


def lean(kblam: Kblam, *, gate: float = 0.0, yes: float = 0.0) -> Kblam:
    """Let the copy gate speak more (or less), and the prior say yes more often."""
    with torch.no_grad():
        kblam.adapter.gate.bias.fill_(gate)
        kblam.adapter.prior.second[-1].bias.add_(yes)
    return kblam


def same(one: Answer, two: Answer) -> None:
    assert one.text == two.text
    assert (one.refused, one.state, one.timing.tokens) == (two.refused, two.state, two.timing.tokens)
    assert one.kb_mass == pytest.approx(two.kb_mass, abs=1e-4)
    assert one.confidence == pytest.approx(two.confidence, abs=1e-4)
    facts = [[(source.entity, source.property, source.value) for source in answer.sources] for answer in (one, two)]
    assert facts[0] == facts[1]
    assert [source.weight for source in one.sources] == pytest.approx([source.weight for source in two.sources], abs=1e-4)


@pytest.mark.parametrize(("gate", "yes"), [(-3.0, 3.0), (-1.0, 3.0), (0.0, 1.0), (4.0, 3.0), (4.0, -9.0)])
def test_drafts_change_nothing_but_the_speed(kblam, monkeypatch, gate, yes):
    lean(kblam, gate=gate, yes=yes)
    base, options = kblam.knowledge_base(TABLE), AskOptions(max_new_tokens=60, trace=True)
    for question in QUESTIONS:
        with_drafts = kblam.ask(base, question, options=options)
        with monkeypatch.context() as patch:
            patch.setattr(decoding, "DRAFT", 0)
            without = kblam.ask(base, question, options=options)
        same(with_drafts, without)
        assert with_drafts.trace.answer_tokens == without.trace.answer_tokens
        order = [with_drafts.trace.facts.index(fact) for fact in without.trace.facts]
        ordered = with_drafts.trace.weights[..., [*order, -2, -1]]
        np.testing.assert_allclose(ordered, without.trace.weights, atol=2e-3)


def test_every_family_answers_with_drafts_and_a_trace_and_so_does_its_saved_adapter(tokenizer, family, tmp_path, monkeypatch):
    kblam = lean(Kblam(tiny_model(family), tokenizer, HashEncoder(), tiny_adapter()), gate=-1.0, yes=3.0)
    base, options = kblam.knowledge_base(TABLE), AskOptions(max_new_tokens=40, trace=True)  # beyond the sliding windows of 64
    drafted = kblam.ask(base, QUESTIONS[0], options=options)
    assert drafted.trace.weights.shape[:2] == (len(LAYERS), HEADS)
    np.testing.assert_allclose(drafted.trace.weights.astype(np.float32).sum(-1), 1, atol=5e-3)
    again = Kblam(tiny_model(family), tokenizer, HashEncoder(), KblamAdapter.load(kblam.adapter.save(tmp_path)))
    monkeypatch.setattr(decoding, "DRAFT", 0)
    same(drafted, again.ask(again.knowledge_base(TABLE), QUESTIONS[0], options=options))


@pytest.mark.parametrize("yes", [-9.0, 4.0])
@pytest.mark.parametrize("mode", MODES)
def test_pieces_of_the_stream_are_the_answer(kblam, mode, yes):
    lean(kblam, gate=2.0, yes=yes)
    base = kblam.knowledge_base(TABLE)
    for question in QUESTIONS:
        *pieces, answer = kblam.stream(base, question, options=AskOptions(mode=mode, max_new_tokens=50))
        assert all(isinstance(piece, str) and piece for piece in pieces)
        assert "".join(pieces).strip() == answer.text
        assert answer.refused == (answer.state == "refused")
        assert answer.timing.tokens <= 50
        assert 0 <= answer.kb_mass <= 1
        assert 0 <= answer.confidence <= 1
        assert len(answer.nearest) == 5
        assert answer.refused <= (answer.sources == [])


def test_a_sentence_that_was_begun_is_told_to_its_end(kblam, monkeypatch):
    """The gate opens for the first token and then shuts: half a value, ended in the backbone's own way, must not come out."""
    lean(kblam, yes=9.0)
    given = iter([1.0])

    def once_open(hidden: torch.Tensor, mass: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return torch.full_like(mass, next(given, 0.0))

    monkeypatch.setattr(kblam.adapter, "copy_probability", once_open)
    answer = kblam.ask(kblam.knowledge_base(TABLE[:1]), QUESTIONS[0], options=AskOptions(max_new_tokens=90))
    assert answer.text == fact_sentence(TABLE[0])


def test_a_sure_copy_gate_tells_a_whole_fact_or_the_refusal(kblam):
    lean(kblam, gate=12.0, yes=9.0)
    base = kblam.knowledge_base(TABLE)
    told = kblam.ask(base, QUESTIONS[0])
    assert told.state == "answered"
    assert told.sources[0].index in range(5)
    assert told.text.startswith(fact_sentence(base.triples[told.sources[0].index]))
    lean(kblam, yes=-40.0)
    refused = kblam.ask(base, QUESTIONS[0])
    assert refused.text == REFUSAL
    assert refused.refused
    assert refused.sources == []
    assert refused.confidence < 0.5


@pytest.mark.parametrize("mode", MODES)
def test_order_of_the_table_does_not_matter(kblam, mode):
    lean(kblam, gate=1.0, yes=3.0)
    options = AskOptions(mode=mode, max_new_tokens=40)
    order = [3, 1, 4, 0, 2]
    one, two = kblam.knowledge_base(TABLE), kblam.knowledge_base([TABLE[row] for row in order])
    for question in QUESTIONS[:3]:
        first, second = kblam.ask(one, question, options=options), kblam.ask(two, question, options=options)
        same(first, second)
        assert [source.index for source in first.sources] == [order[source.index] for source in second.sources]


def test_trace_rows_sum_to_one(kblam):
    lean(kblam, gate=0.0, yes=3.0)
    answer = kblam.ask(kblam.knowledge_base(TABLE), QUESTIONS[0], options=AskOptions(trace=True, max_new_tokens=30))
    trace = answer.trace
    tokens = len(trace.question_tokens) + len(trace.answer_tokens)
    assert "".join(trace.question_tokens) == QUESTIONS[0]
    assert len(trace.answer_tokens) == answer.timing.tokens
    assert trace.layers == list(LAYERS)
    assert sorted(trace.facts) == list(range(5))
    assert trace.weights.shape == (len(LAYERS), HEADS, tokens, 5 + 2)
    assert trace.weights.dtype == np.float16
    np.testing.assert_allclose(trace.weights.astype(np.float32).sum(-1), 1, atol=5e-3)
    mass = 1 - trace.weights[:, :, len(trace.question_tokens) :, -1].astype(np.float32)
    assert mass.mean() == pytest.approx(answer.kb_mass, abs=5e-3)
    for choice in ({}, {"layer": LAYERS[1]}, {"head": 2}, {"layer": LAYERS[0], "head": 0, "rows": "question"}):
        heatmap = trace.heatmap(**choice, top_k=2)
        assert heatmap.weights.shape == (len(heatmap.tokens), 3)
        np.testing.assert_allclose(heatmap.weights.sum(1), heatmap.kb_mass, atol=5e-3)


@pytest.mark.parametrize("choice", [{"layer": 1}, {"head": HEADS}, {"head": -1}, {"rows": "both"}])
def test_a_heatmap_of_what_is_not_there_is_refused_in_words(kblam, choice):
    trace = kblam.ask(kblam.knowledge_base(TABLE), QUESTIONS[0], options=AskOptions(trace=True, max_new_tokens=3)).trace
    with pytest.raises(InputError):
        trace.heatmap(**choice)


def test_an_empty_table_says_so(kblam):
    *pieces, answer = kblam.stream(kblam.knowledge_base(), "Who?", options=AskOptions(max_new_tokens=5))
    assert pieces[0] == UNGROUNDED
    assert (answer.state, answer.text, answer.sources) == ("empty_table", "".join(pieces).strip(), [])
    alone, timing = kblam.generate_text([{"role": "user", "content": "Who?"}], max_new_tokens=5)
    assert answer.text == (UNGROUNDED + alone).strip()
    assert timing.tokens <= 5


def test_the_plain_backbone_speaks_as_generate_does(kblam):
    ids = kblam.tokenizer("Who runs it?", return_tensors="pt")["input_ids"]
    expected = kblam.backbone.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)[0, ids.shape[1] :].tolist()
    assert list(decode_plain(kblam.backbone, ids[0].tolist(), end=-1, max_new_tokens=12)) == [t for t in expected if t != 2]


@pytest.mark.parametrize(("question", "message"), [("", "empty"), (" \n\t", "empty"), ("why " * 3000, "11,999 characters; at most 2,000")])
def test_a_question_that_cannot_be_asked_is_said_in_words(kblam, question, message):
    with pytest.raises(InputError, match=message):
        kblam.ask(kblam.knowledge_base(TABLE), question)


@pytest.mark.parametrize("question", ["?", "<|im_end|>", "${1} {{x}} <b>", "🛠️", "\u200b", "a\x00b", "y" * 2000])
def test_odd_questions_get_an_answer(kblam, question):
    assert kblam.ask(kblam.knowledge_base(TABLE), question, options=AskOptions(max_new_tokens=4)).state in ("answered", "refused")


def test_a_shortlist_of_all_facts_is_the_dense_method(kblam):
    base = kblam.knowledge_base(TABLE)
    dense = kblam.ask(base, QUESTIONS[0], options=AskOptions(mode="no-shortlist", max_new_tokens=30))
    same(kblam.ask(base, QUESTIONS[0], options=AskOptions(top_k=5, max_new_tokens=30)), dense)
    assert len(kblam.ask(base, QUESTIONS[0], options=AskOptions(top_k=2, max_new_tokens=3)).nearest) == 2


@pytest.mark.parametrize("mode", ["kblam", "paper", "no-prior"])
def test_many_questions_get_the_answers_of_one_by_one(kblam, mode, monkeypatch):
    monkeypatch.setattr("kblam_core.model.RANKED_TOGETHER", 3)
    lean(kblam, gate=12.0, yes=1.0)
    base, options = kblam.knowledge_base(TABLE), AskOptions(mode=mode, max_new_tokens=12)
    asked = [*QUESTIONS, "thanks", QUESTIONS[0], "and the budget?"]
    histories = [()] * (len(asked) - 1) + [((QUESTIONS[0], "Ingrid Solberg."),)]
    expected = [kblam.ask(base, question, history=history, options=options) for question, history in zip(asked, histories, strict=True)]
    kblam.encoder.texts.clear()
    answers = list(kblam.ask_many(base, asked, histories=histories, options=options))
    assert len(answers) == len(asked)
    for one, other in zip(answers, expected, strict=True):
        same(one, other)
        assert one.sources == sorted(one.sources, key=lambda source: -source.weight)


@pytest.mark.parametrize(
    ("questions", "times"), [(QUESTIONS[:2], 2), (QUESTIONS, 4), ((*QUESTIONS, "Who built Laurel House, and its head?"), 4)]
)
def test_the_encoder_is_asked_twice_for_many_questions_and_twice_for_the_parts_of_them_all(kblam, monkeypatch, questions, times):
    base, calls, encode = kblam.knowledge_base(TABLE), [], kblam.encoder.encode
    monkeypatch.setattr(kblam.encoder, "encode", lambda texts: calls.append(texts) or encode(texts))
    assert len(list(kblam.ask_many(base, questions, options=AskOptions(max_new_tokens=2)))) == len(questions)
    assert len(calls) == times and tuple(calls[0]) == questions


def test_many_questions_with_a_bad_one_are_refused_before_the_first_is_answered(kblam):
    base = kblam.knowledge_base(TABLE)
    with pytest.raises(InputError, match="Question 2 is empty"):
        kblam.ask_many(base, [QUESTIONS[0], " "])
    with pytest.raises(InputError, match="2 questions and 1 histories"):
        kblam.ask_many(base, QUESTIONS[:2], histories=[()])
    assert [answer.state for answer in kblam.ask_many(kblam.knowledge_base(), ["Who?"], options=AskOptions(max_new_tokens=2))] == [
        "empty_table"
    ]
    assert list(kblam.ask_many(base, [])) == []


def test_an_edit_is_answered_from_at_once(kblam):
    lean(kblam, gate=12.0, yes=9.0)
    base = kblam.knowledge_base(TABLE[:1])
    assert kblam.ask(base, QUESTIONS[0]).text == "The head of Halden Workshop is Ingrid Solberg."
    base.edit(0, Triple("Halden Workshop", "head", "Bo"))
    assert kblam.ask(base, QUESTIONS[0]).text == "The head of Halden Workshop is Bo."


def test_a_stream_that_waits_does_not_hold_up_the_next_visitor(kblam):
    lean(kblam, gate=12.0, yes=9.0)
    base, answers = kblam.knowledge_base(TABLE), []
    waiting = kblam.stream(base, QUESTIONS[0])
    next(waiting)
    other = threading.Thread(target=lambda: answers.append(kblam.ask(base, QUESTIONS[1])), daemon=True)
    other.start()
    other.join(timeout=3)
    finished = bool(answers)
    waiting.close()
    other.join(timeout=10)
    assert finished


def test_the_prompt_holds_the_question_and_says_where(tokenizer):
    for question in ("Who runs it?", "  灯台の高さは? ", "user"):
        prompt = build_prompt(tokenizer, question)
        assert tokenizer.decode(prompt.ids[prompt.start : prompt.end]) == question.strip()
    sentences = Sentences(tokenizer)
    assert sentences.end == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.decode(sentences.fact(TABLE[4], first=False)) == " The date built of Laurel House is 1904."


def test_parts_that_do_not_fit_are_refused(tokenizer):
    with pytest.raises(UnsupportedModelError, match="trained with the encoder 'others'"):
        Kblam(tiny_model(), tokenizer, HashEncoder(), tiny_adapter(encoder="others"))


def test_the_plain_backbone_answers_without_a_table(kblam):
    text, timing = kblam.generate_text([{"role": "user", "content": "Hello"}], max_new_tokens=5)
    assert isinstance(text, str)
    assert timing.tokens <= 5
    assert 0 < timing.ttft_ms <= timing.total_ms


def test_a_trace_tells_the_priors_probability_of_each_kept_fact(kblam):
    base = kblam.knowledge_base(TABLE)
    options = AskOptions(trace=True, max_new_tokens=5)
    rows, logits = kblam.rank(base, QUESTIONS[0], options=options)
    trace = kblam.ask(base, QUESTIONS[0], options=options).trace
    expected = {int(row): 1 / (1 + np.exp(-logit)) for row, logit in zip(rows, logits, strict=True)}
    assert trace.prior == pytest.approx([expected[fact] for fact in trace.facts])
    assert kblam.ask(base, QUESTIONS[0], options=AskOptions(mode="paper", trace=True, max_new_tokens=5)).trace.prior is None


def test_the_shape_names_what_is_loaded(kblam):
    shape = kblam.shape
    assert (shape.layers, shape.heads) == (kblam.kb_layers, kblam.num_heads)
    assert shape.depth > max(shape.layers) and shape.encoder_width == kblam.encoder.width


# -------------------------------------------------------------------------------------------------------------------- templates
REFUSES_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)


def test_a_template_that_refuses_a_system_role_gets_its_text_in_the_first_message():
    """Gemma's does."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = REFUSES_SYSTEM
    question = "Who runs it?"
    made = build_prompt(tokenizer, question)
    text = tokenizer.decode(made.ids)
    assert text == f"<|im_start|>user\n{SYSTEM}\n\n{question}<|im_end|>\n<|im_start|>model\n"
    assert tokenizer.decode(made.ids[made.start : made.end]) == question
    later = [{"role": "system", "content": "S"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert chat_text(tokenizer, later).count("<|im_start|>") == 3
    kblam = Kblam(tiny_model("gemma2"), tokenizer, HashEncoder(), tiny_adapter())
    kb = kblam.knowledge_base([Triple("Halden", "head", "Ingrid")])
    assert kblam.ask(kb, "Who is the head of Halden?", options=AskOptions(max_new_tokens=2)).nearest


def test_a_template_that_fails_without_a_system_role_is_an_error():
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    with pytest.raises(Exception, match="no"):
        chat_text(tokenizer, [{"role": "user", "content": "a"}])
