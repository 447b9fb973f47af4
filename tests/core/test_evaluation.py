"""Questions files, the baselines and the report, on a stand-in model."""

from __future__ import annotations

import json

import pytest

from kblam_core.errors import InputError
from kblam_core.evaluation.baselines import BASELINES, NO_ANSWER, prompt
from kblam_core.evaluation.bench import bench, made_up
from kblam_core.evaluation.questions import Question, askable, read_questions
from kblam_core.evaluation.report import markdown, read_report
from kblam_core.evaluation.runner import MODES, Case, find_suite, pool, run
from kblam_core.evaluation.summary import summarise
from kblam_core.triples import Triple
from tests.core.fake_kblam import FakeKblam

FACTS = [
    Triple("Halden Workshop", "director", "Mara Lund"),
    Triple("Halden Workshop", "opening year", "1987"),
    Triple("Corvin Library", "director", "Ola Berg"),
    Triple("Corvin Library", "address", "4 Quay Street"),
]
QUESTIONS = [
    Question("What is the director of Halden Workshop?", "Halden Workshop", "director", "Mara Lund", "single"),
    Question("What is the opening year of Halden Workshop?", "Halden Workshop", "opening year", "1987", "single"),
    Question("What is the address of Corvin Library?", "Corvin Library", "address", "4 Quay Street", "single"),
    Question("Who sings best?", "", "", None, "unrelated"),
    Question("What is the director of Marrow Mill?", "Marrow Mill", "director", None, "entity missing"),
]


def write(path, *items) -> str:
    path.write_text("\n".join(item if isinstance(item, str) else json.dumps(item) for item in items))
    return str(path)


def test_questions_are_read(tmp_path):
    path = write(
        tmp_path / "q.jsonl",
        {"question": " Who? ", "entity": "A", "property": "b", "answer": 12},
        "",
        {"Question": "Where?", "answer": None, "kind": "unrelated", "extra": [1]},
    )
    assert read_questions(path) == [
        Question("Who?", "A", "b", "12", ""),
        Question("Where?", "", "", None, "unrelated"),
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nope", "line 1 is not valid JSON"),
        ("3", "expected an object"),
        ({"question": "Who?"}, '"answer": null'),
        ({"answer": "x"}, "question is needed"),
        ({"question": " ", "answer": None}, "the question is empty"),
        ({"question": "Who?", "answer": ""}, "the answer is empty"),
        ({"question": "Who?", "answer": "x"}, "entity and property"),
        ({"question": "Who?", "answer": {"x": 1}, "entity": "A", "property": "b"}, "or a list of them"),
        ({"question": "Who?", "answer": [["x"]], "entity": "A", "property": "b"}, "or a list of them"),
        ({"question": ["Who?"], "answer": None}, "question must be text, a number or null."),
        ({"question": "Who?", "answer": ["x", ""], "entity": "A", "property": "b"}, "the answer is empty"),
        ({"question": "Who?", "answer": ["x", "y"], "entity": ["A", "B", "C"], "property": "b"}, "equally long"),
        ({"question": "Who?", "answer": "x", "entity": ["A", "B"], "property": "b"}, "equally long"),
        ({"question": "Who?", "answer": None, "history": [["only one"]]}, "history must be a list of turns"),
        ({"question": "Who?", "answer": None, "history": "Hi"}, "history must be a list of turns"),
    ],
)
def test_broken_questions_say_where(tmp_path, line, says):
    with pytest.raises(InputError, match=says):
        read_questions(write(tmp_path / "q.jsonl", line))


def test_missing_and_empty_question_files(tmp_path):
    with pytest.raises(InputError, match="no questions file"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="empty"):
        read_questions(write(tmp_path / "q.jsonl", ""))


def test_questions_that_do_not_fit_the_table_are_left_out_and_said():
    wrong = [
        Question("?", "Halden Workshop", "director", "Nobody"),
        Question("?", "halden workshop", "Director", None),
    ]
    kept, notes = askable([*QUESTIONS, *wrong], FACTS)
    assert kept == QUESTIONS
    assert len(notes) == 2


def test_kblam_report_has_the_agreed_fields():
    report = run(FakeKblam(), [Case("facts", FACTS, QUESTIONS)], about={"backbone": "fake"})
    assert report["mode"] == "kblam" and report["backbone"] == "fake"
    assert (report["n_triples"], report["n_questions"]) == (4, 5)
    assert report["retrieval"] == {"top1": 1.0, "top5": 1.0}
    assert report["answer"] == {"correct": 1.0, "exact": 1.0, "f1": 1.0}
    assert report["refusal"]["false_refusal"] == 0.0
    assert report["speed"] == {"ttft_ms": {"p50": 10.0, "p95": 10.0}, "tokens_per_s": 100.0}
    assert len(report["rows"]) == 5 and json.dumps(report)
    assert report["kinds"]["single"]["n"] == 3


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_runs(mode):
    report = run(FakeKblam(), [Case("facts", FACTS, QUESTIONS)], mode=mode)
    assert report["mode"] == mode and report["n_questions"] == 5
    retrieves = mode not in ("in-context", "zero-shot")
    assert (report["retrieval"]["top1"] is not None) is retrieves


def test_dense_never_refuses_and_knows_its_best_threshold():
    report = run(FakeKblam(), [Case("facts", FACTS, QUESTIONS)], mode="dense")
    assert report["refusal"] == {"precision": None, "recall": 0.0, "false_refusal": 0.0}
    assert report["accuracy"] == 0.6
    assert report["hindsight"]["accuracy"] == 1.0


def test_rag_prompts_with_the_five_nearest_facts_and_counts_its_refusals():
    fake = FakeKblam()
    ask = BASELINES["rag"](fake, [*FACTS, *made_up(40)])
    reply = ask("What is the director of Corvin Library?")
    final = fake.prompts[-1][-1]["content"]
    assert final.count("\n- ") == 5 and "Ola Berg" in final
    assert reply.text.endswith("Ola Berg.") and not reply.refused and reply.ranked[0] == 2
    assert reply.ttft_ms >= 10 and reply.total_ms >= 110
    assert NO_ANSWER in [turn["content"] for turn in prompt(FACTS, "?")]


def test_in_context_says_when_the_facts_do_not_fit():
    with pytest.raises(InputError, match="in-context: 2,000 facts need"):
        run(FakeKblam(), [Case("big", made_up(2000), QUESTIONS[3:4])], mode="in-context")
    both = [Case("big", made_up(2000), QUESTIONS[3:4]), Case("facts", FACTS, QUESTIONS)]
    report = run(FakeKblam(), both, mode="in-context")
    assert report["n_questions"] == 5 and "big is left out" in report["notes"][0]


def test_limit_draws_the_same_questions_for_a_seed():
    fakes = [FakeKblam() for _ in range(3)]
    for fake, seed in zip(fakes, (1, 1, 2), strict=True):
        run(fake, [Case("facts", FACTS, QUESTIONS)], limit=3, seed=seed)
    assert fakes[0].asked == fakes[1].asked and len(fakes[0].asked) == 3
    assert fakes[0].asked != fakes[2].asked


def test_two_tables_apart_and_pooled():
    other = [Triple("Marrow Mill", "director", "Ida Falk")]
    cases = [
        Case("a", FACTS, QUESTIONS),
        Case("b", other, [Question("Who?", "Marrow Mill", "director", "Ida Falk")]),
    ]
    apart = run(FakeKblam(), cases)
    assert [table["name"] for table in apart["tables"]] == ["a", "b"]
    assert apart["n_questions"] == 6 and apart["n_triples"] == 5
    together = run(FakeKblam(), [pool(cases)])
    assert together["n_triples"] == 5 and "tables" not in together
    assert together["n_questions"] == 5  # "director of Marrow Mill" is answerable in the pool, so it is no refusal question
    assert together["notes"]


def test_unknown_mode_and_nothing_to_ask():
    with pytest.raises(InputError, match="no mode 'best'"):
        run(FakeKblam(), [Case("facts", FACTS, QUESTIONS)], mode="best")
    with pytest.raises(InputError, match="No question is left"):
        run(FakeKblam(), [Case("facts", FACTS, [])])
    with pytest.raises(InputError, match="no usable fact"):
        run(FakeKblam(), [Case("facts", [], QUESTIONS[3:])])


def test_summary_by_hand():
    base = {"kind": "", "rank": None, "retrieved": True, "ttft_ms": 5.0, "total_ms": 5.0, "tokens": 1}
    right = {
        **base,
        "gold": "x",
        "refused": False,
        "right": True,
        "correct": True,
        "exact": False,
        "f1": 0.5,
        "rank": 2,
    }
    wrongly_refused = {
        **base,
        "gold": "x",
        "refused": True,
        "right": False,
        "correct": False,
        "exact": False,
        "f1": 0.0,
    }
    rightly_refused = {
        **base,
        "gold": None,
        "refused": True,
        "right": True,
        "correct": None,
        "exact": None,
        "f1": None,
    }
    missed = {**rightly_refused, "refused": False, "right": False}
    figures = summarise([right, wrongly_refused, rightly_refused, missed], "kblam")
    assert figures["accuracy"] == 0.5
    assert figures["refusal"] == {"precision": 0.5, "recall": 0.5, "false_refusal": 0.5}
    assert figures["retrieval"] == {"top1": 0.0, "top5": 0.5}
    assert figures["answer"] == {"correct": 0.5, "exact": 0.0, "f1": 0.25}
    assert figures["speed"]["tokens_per_s"] is None


def test_markdown_lays_reports_side_by_side(tmp_path):
    reports = []
    for mode in ("kblam", "rag"):
        path = tmp_path / f"{mode}.json"
        path.write_text(json.dumps(run(FakeKblam(), [Case("a|b", FACTS, QUESTIONS)] * 1, mode=mode)))
        reports.append((mode, read_report(path)))
    text = markdown(reports)
    assert "| kblam | 4 | 5 |" in text and "| rag | 4 | 5 |" in text
    grid = text.split("\n\n")[2].splitlines()
    widths = {line.count(" | ") for line in grid if line.startswith(("| kblam", "| rag", "| mode"))}
    assert len(widths) == 1
    with pytest.raises(InputError, match="is not a report"):
        read_report(write(tmp_path / "x.json", {"a": 1}))


def test_suite_folders(tmp_path):
    with pytest.raises(InputError, match="needs a folder"):
        find_suite(tmp_path / "none")
    write(tmp_path / "a.tsv", "entity\tproperty\tvalue")
    with pytest.raises(InputError, match="no table with questions"):
        find_suite(tmp_path)
    write(tmp_path / "a.questions.jsonl", {"question": "?", "answer": None})
    write(tmp_path / "b.csv", "entity,property,value")
    write(tmp_path / "b.jsonl", {"question": "?", "answer": None})
    found = [(table.name, asked.name) for table, asked in find_suite(tmp_path)]
    assert found == [("a.tsv", "a.questions.jsonl"), ("b.csv", "b.jsonl")]


def test_bench_has_a_line_per_size():
    lines = bench(FakeKblam(), sizes=(10, 30), questions=2)
    assert [line["facts"] for line in lines] == [10, 30]
    assert lines[0]["kblam"] == {"ttft_ms": 10.0, "tokens_per_s": 100.0}
    assert lines[0]["rag"]["ttft_ms"] >= 10 and lines[0]["edit_ms"] >= 0
    assert len({(triple.entity, triple.property) for triple in made_up(10_000)}) == 10_000
