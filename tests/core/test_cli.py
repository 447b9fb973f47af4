"""The commands on a stand-in model: output, exit codes, and one line on stderr for everything that goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kblam_core import cli
from kblam_core.commands import shared
from kblam_core.errors import MissingWeightsError
from tests.core.fake_kblam import FakeKblam
from tests.core.tiny import tiny_adapter

COMMANDS = ("ask", "evaluate", "report", "encode", "train", "info", "bench", "import-official", "push")
TABLE = "entity,property,value\nHalden Workshop,director,Mara Lund\nHalden Workshop,opening year,1987\n"
ASKED = [
    {
        "question": "What is the director of Halden Workshop?",
        "entity": "Halden Workshop",
        "property": "director",
        "answer": "Mara Lund",
    },
    {"question": "Who sings best?", "entity": "", "property": "", "answer": None},
]


@pytest.fixture
def fake(monkeypatch):
    model = FakeKblam()
    monkeypatch.setattr(shared, "load_kblam", lambda *args: model)
    return model


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "facts.csv").write_text(TABLE)
    (tmp_path / "facts.questions.jsonl").write_text("\n".join(map(json.dumps, ASKED)))
    return tmp_path


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_teaches_without_loading_torch():
    script = "import sys, kblam_core.cli as c; c.main(['--help']); assert 'torch' not in sys.modules and 'gradio' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "python -m kblam_core ask" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(capsys, command):
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"python -m kblam_core {command}" in out


def test_the_bare_program_prints_its_help(capsys):
    code, out, _ = run(capsys)
    assert code == 0 and "Start here" in out


def test_ask_streams_and_names_the_fact(capsys, fake, folder):
    code, out, err = run(capsys, "ask", "--kb", folder / "facts.csv", "What is the director of Halden Workshop?")
    assert (code, err) == (0, "")
    assert "Mara Lund" in out.splitlines()[0]
    assert "From: Halden Workshop | director | Mara Lund" in out


def test_ask_shows_the_nearest_facts_when_it_refuses(capsys, fake, folder):
    code, out, _ = run(capsys, "ask", "--kb", folder / "facts.csv", "Who sings best?")
    assert code == 0
    assert "Nearest facts:" in out


def test_ask_json_is_one_object(capsys, fake, folder):
    code, out, _ = run(capsys, "ask", "--json", "--threshold", "0.3", "--kb", folder / "facts.csv", ASKED[0]["question"])
    assert code == 0
    assert json.loads(out)["refused"] is False
    assert fake.options.threshold == 0.3


def test_a_file_of_questions_is_answered_line_by_line(capsys, fake, folder):
    code, out, err = run(capsys, "ask", "--json", "--kb", folder / "facts.csv", "--questions", folder / "facts.questions.jsonl")
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [one["question"] for one in told] == [one["question"] for one in ASKED]
    assert [one["refused"] for one in told] == [False, True]
    (folder / "follow-up.jsonl").write_text(
        json.dumps({"question": "and the director?", "history": [["What of Halden Workshop?", "It is."]]})
    )
    code, out, _ = run(capsys, "ask", "--kb", folder / "facts.csv", "--questions", folder / "follow-up.jsonl")
    assert code == 0 and "From: Halden Workshop | director | Mara Lund" in out
    (folder / "plain.txt").write_text("\ufeffWhat is the director of Halden Workshop?\n\nWho sings best?\n")
    code, out, _ = run(capsys, "ask", "--kb", folder / "facts.csv", "--questions", folder / "plain.txt")
    assert code == 0 and "Mara Lund" in out and "Who sings best?\nThe table does not say.\nNearest facts:" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"question": "a?"}\n{"asked": "b?"}', "questions.jsonl, question 2: expected"),
        ('{"question": ""}', "question 1: expected"),
        ('["a?"]', "question 1: expected"),
        ('{"question": "a?", "history": "b"}', "history must be a list of turns"),
        ("", "is empty"),
    ],
)
def test_a_broken_file_of_questions_is_refused_before_the_model_loads(capsys, monkeypatch, folder, content, words):
    monkeypatch.setattr(shared, "load_kblam", None)
    (folder / "questions.jsonl").write_text(content)
    code, _, err = run(capsys, "ask", "--kb", folder / "facts.csv", "--questions", folder / "questions.jsonl")
    assert code == 2 and words in err and err.count("\n") == 1


def test_remarks_on_the_table_go_to_stderr(capsys, fake, tmp_path):
    rows = "".join(f"E{number},p,\n" for number in range(8))
    (tmp_path / "t.csv").write_text(f"id,{TABLE.splitlines()[0]}\n0,A,b,c\n" + rows)
    code, out, err = run(capsys, "ask", "--json", "--kb", tmp_path / "t.csv", "--max-rows", "5", "b of A?")
    assert code == 0 and json.loads(out)
    assert "ignored the extra columns id" in err and "more rows with remarks" in err


def test_evaluate_writes_the_report(capsys, fake, folder):
    out_file = folder / "new" / "out.json"
    code, out, _ = run(
        capsys,
        *(
            "evaluate",
            "--kb",
            folder / "facts.csv",
            "--questions",
            folder / "facts.questions.jsonl",
            "--json",
            out_file,
        ),
    )
    assert code == 0
    assert "accuracy   100.0 %" in out
    written = json.loads(out_file.read_text())
    assert written["adapter_fingerprint"] == tiny_adapter().fingerprint()
    assert written["accuracy"] == 1.0 and len(written["rows"]) == 2 and written["backbone"]
    assert sum('"question"' in line for line in out_file.read_text().splitlines()) == 2


def test_evaluate_a_folder_then_report(capsys, fake, folder):
    (folder / "more.csv").write_text("entity,property,value\nCorvin Library,director,Ola Berg\n")
    more = {
        **ASKED[0],
        "question": "What is the director of Corvin Library?",
        "entity": "Corvin Library",
        "answer": "Ola Berg",
    }
    (folder / "more.questions.jsonl").write_text(json.dumps(more))
    for mode in ("kblam", "rag"):
        code, out, _ = run(capsys, "evaluate", "--suite", folder, "--mode", mode, "--json", folder / f"{mode}.json")
        assert code == 0 and "[more]" in out
    code, out, _ = run(capsys, "evaluate", "--suite", folder, "--pool")
    assert code == 0 and "3 questions on 3 facts" in out
    (folder / "facts.extra.jsonl").write_text(json.dumps({**ASKED[0], "question": "director of Halden Workshop"}))
    code, out, _ = run(capsys, "evaluate", "--suite", folder, "--set", "main", "--set", "extra")
    assert code == 0 and "4 questions on 3 facts" in out and "[facts] accuracy 100.0 % of 3" in out
    code, out, _ = run(capsys, "evaluate", "--suite", folder, "--size", "50")
    assert code == 0 and "3 questions on 50 facts" in out
    code, _, _ = run(capsys, "report", folder / "kblam.json", folder / "rag.json", "--out", folder / "results.md")
    assert code == 0
    assert "## more" in (folder / "results.md").read_text()


def test_encode_saves_and_bench_prints(capsys, fake, folder):
    code, out, _ = run(capsys, "encode", "--kb", folder / "facts.csv", "--out", folder / "kb.safetensors")
    assert code == 0 and "2 facts" in out and (folder / "kb.safetensors").exists()
    code, out, _ = run(capsys, "bench", "--sizes", "10,20", "--questions", "1", "--json", folder / "b.json")
    assert code == 0 and "rag tokens/s" in out and len(out.splitlines()) == 3
    assert json.loads((folder / "b.json").read_text())["sizes"][1]["facts"] == 20


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask"], "See: python -m kblam_core ask --help"),
        (["ask", "hi"], "--kb"),
        (["dance"], "dance"),
        (["ask", "hi", "--kb", "none.csv"], "no table file"),
        (["ask", "hi", "--kb", "."], "folder"),
        (["ask", "hi", "--kb", "none.safetensors"], "encode --kb"),
        (["ask", " ", "--kb", "facts.csv"], "question is empty"),
        (["ask", "x" * 2_001, "--kb", "facts.csv"], "2,001 characters"),
        (["ask", "hi", "--kb", "facts.csv", "--mode", "rag"], "no mode 'rag'"),
        (["ask", "hi", "--kb", "facts.csv", "--top-k", "0"], "top-k"),
        (["ask", "hi", "--kb", "facts.csv", "--threshold", "1"], "threshold"),
        (["ask", "hi", "--kb", "facts.questions.jsonl"], "needed are entity, property, value"),
        (["evaluate"], "--suite FOLDER"),
        (["evaluate", "--kb", "facts.csv", "--questions", "none.jsonl"], "no questions file"),
        (["evaluate", "--kb", "facts.csv", "--questions", "facts.csv"], "not valid JSON"),
        (["evaluate", "--kb", "a", "--kb", "b", "--questions", "c"], "2 --kb and 1 --questions"),
        (["evaluate", "--suite", ".", "--kb", "a"], "not both"),
        (["evaluate", "--suite", ".", "--set", "extra"], "Put NAME.extra.jsonl beside"),
        (["evaluate", "--kb", "a", "--questions", "b", "--set", "extra"], "--set goes with --suite"),
        (["evaluate", "--suite", ".", "--mode", "best"], "no mode 'best'"),
        (["evaluate", "--suite", ".", "--json", "."], "folder"),
        (["evaluate", "--suite", ".", "--json", "facts.csv/out.json"], "cannot be written"),
        (["report", "facts.csv"], "is not a report"),
        (["encode", "--kb", "facts.csv", "--out", "kb.bin"], ".safetensors"),
        (["train", "--out", "facts.csv"], "is a file"),
        (["train", "--out", "x", "--stage", "last"], "no stage 'last'"),
        (["bench", "--sizes", "ten"], "--sizes"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(capsys, monkeypatch, folder, arguments, says):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(shared, "load_kblam", lambda *args: pytest.fail("the model was loaded before the input was checked"))
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert says in err


def test_missing_weights_and_bugs_are_one_line_too(capsys, monkeypatch, folder):
    def fail(error):
        def load(*args):
            raise error

        return load

    arguments = ("ask", "hi", "--kb", folder / "facts.csv")
    monkeypatch.setattr(shared, "load_kblam", fail(MissingWeightsError("No network.\nTry again.")))
    assert run(capsys, *arguments) == (2, "", "error: No network. Try again.\n")
    monkeypatch.setattr(shared, "load_kblam", fail(RuntimeError("boom")))
    code, _, err = run(capsys, *arguments)
    assert code == 2 and "bug in kblam_core (RuntimeError: boom)" in err and "Traceback" not in err
    monkeypatch.setattr(shared, "load_kblam", fail(KeyboardInterrupt()))
    assert run(capsys, *arguments)[0] == 130
