"""The recorded examples: they open without a model, fit the code, and make way for the visitor's own answer."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from app import recorded
from app.guide import guide_html, observe
from app.handlers import attention, chat
from app.recorded import FOLDER, QUESTIONS, SAMPLE, examples, read, write
from app.samples import SAMPLES
from app.session import Session, Turn
from kblam_core import AskOptions
from tests.serving import ROOT

AGAIN = "make it anew with `python -m tools.record_examples`"


def test_opening_them_loads_no_model():
    check = "import sys; from app.recorded import examples; assert len(examples()) == 2; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_goes_with_the_code_and_the_sample(name):
    turn = read(FOLDER / f"{name}.npz")
    assert turn.question == QUESTIONS[name], AGAIN
    assert turn.facts == SAMPLES[SAMPLE].triples(), AGAIN
    assert turn.state in ("answered", "refused") and turn.recorded
    trace, shape = turn.answer.trace, turn.shape
    assert trace.layers == shape.layers and trace.heads == shape.heads
    tokens = len(trace.question_tokens) + len(trace.answer_tokens)
    assert trace.weights.shape == (len(shape.layers), shape.heads, tokens, len(trace.facts) + 2)
    assert np.allclose(trace.weights.astype(np.float32).sum(-1), 1, atol=0.02)
    assert len(trace.prior) == len(trace.facts) and turn.vectors.shape == (2, shape.encoder_width)
    assert guide_html(turn, "en").count("<h2>") == 6


def test_what_is_written_reads_back(host, model, tmp_path):
    facts = SAMPLES[SAMPLE].triples()
    base, options = model.knowledge_base(facts), AskOptions(trace=True)
    answer = model.ask(base, "Who is the director of Laurel House?", options=options)
    turn = Turn("Who is the director of Laurel House?", answer.state, answer.text, answer, facts, options)
    observe(turn, answer, base, model.shape)
    write(tmp_path / "one.npz", turn)
    again = read(tmp_path / "one.npz")
    assert (again.answer.sources, again.answer.nearest, again.shape) == (answer.sources, answer.nearest, model.shape)
    assert np.array_equal(again.answer.trace.weights, answer.trace.weights)
    assert np.allclose(again.vectors, turn.vectors, atol=0.01)


def test_without_the_files_the_page_has_no_example(monkeypatch, tmp_path, caplog):
    (tmp_path / "answer.npz").write_bytes(b"PK not a recording")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    examples.cache_clear()
    try:
        assert examples() == () and "record_examples" in caplog.text
    finally:
        examples.cache_clear()
    empty = chat.empty(Session())
    assert "kb-example" not in empty and "Ask about a fact" in empty


def test_the_first_answer_takes_the_examples_place(session, host):
    session.examples = list(examples())
    assert "recorded earlier" in chat.empty(session) and "kb-recorded" in chat.empty(session)
    turn, intro, value, *_, figure, _, overview = attention.latest(session, "answer", "all", "all", 10)
    assert "recorded earlier" in intro and value["recorded"] and figure.data and overview["panels"]
    assert [number for _, number in turn.choices] == [-1, -2] and turn.choices[0][0].startswith("Example:")
    *_, figure, _, _ = attention.draw(session, -2, "question", "all", "all", 10)
    assert figure.data
    chat.accept(session, {}, "What is the price of the Corvin Lathe?")
    *_, figure, _, _ = attention.draw(session, -1, "answer", "all", "all", 10)  # still drawn while the answer is on its way
    assert figure.data
    list(chat.stream(session, host, "kblam", 0.3))
    turn, intro, value, *_ = attention.latest(session, "answer", "all", "all", 10)
    assert intro == "" and not value["recorded"] and [number for _, number in turn.choices] == [1]
    assert chat.messages(session)[0]["content"].startswith("What is the price")
