"""An answer taken along: every share is there and adds up, and nothing typed turns into markup or script."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from app.export import MAX_TABLE, answer_csv, answer_html, answer_json
from app.handlers import chat, share
from app.session import Session, Turn

NASTY = "</script><script>alert(1)</script><b>x</b> ${1} {{x}}"
QUESTION = f"Who is the director of the Halden Workshop? {NASTY}"


@pytest.fixture
def turn(session, host) -> Turn:
    session.draft.edit({session.draft.rows[0].id: ["Halden Workshop", "director", NASTY]})
    chat.accept(session, None, QUESTION)
    list(chat.stream(session, host, "no-copy", 0.35))
    return session.turns[-1]


def test_json_holds_texts_settings_facts_and_shares_that_add_up(turn):
    content = json.loads(answer_json(turn))
    assert content["question"] == QUESTION and NASTY in content["answer"]
    turn.model = "smollm2-135m · mine"
    content = json.loads(answer_json(turn))
    assert content["model"] == "smollm2-135m · mine"
    assert content["settings"] == {"mode": "no-copy", "threshold": 0.35}
    assert content["facts"][0] == {"fact": 1, "entity": "Halden Workshop", "property": "director", "value": NASTY}
    assert content["sources"][0]["value"] == NASTY
    maps = [content["attention"][part] for part in ("question", "answer")] + list(content["attention"]["answer_by_layer"].values())
    assert len(maps) == 2 + len(turn.answer.trace.layers)
    for part in maps:
        for row in part["tokens"]:
            assert len(row["shares"]) == len(part["facts"])
            assert sum(row["shares"]) + row["other_facts"] + row["text"] == pytest.approx(1, abs=0.01)


def test_a_large_table_is_not_written_out_whole(turn):
    turn.facts = turn.facts + turn.facts[:1] * MAX_TABLE
    content = json.loads(answer_json(turn))
    assert content["facts_in_table"] == MAX_TABLE + 3 and len(content["facts"]) == 3


def test_csv_names_each_token_and_fact(turn):
    rows = list(csv.DictReader(io.StringIO(answer_csv(turn))))
    assert {row["of"] for row in rows} == {"question", "answer"}
    first = [row for row in rows if row["of"] == "answer" and row["position"] == "1"]
    assert sum(float(row["share"]) for row in first) == pytest.approx(1, abs=0.01)
    assert NASTY in {row["value"] for row in first}
    assert [row["entity"] for row in first][-2:] == ["(other facts)", "(text)"]


def test_the_page_needs_nothing_else_and_runs_nothing_typed(turn):
    page = answer_html(turn, "en")
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page and "<b>x</b>" not in page
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="?http', page)
    assert page.count("Plotly.newPlot") == 2 and len(page) < 8_000_000


def test_an_answer_without_attention_is_exported_all_the_same(host):
    session = Session()
    chat.accept(session, None, "Anything?")
    list(chat.stream(session, host, "kblam", 0.35))
    assert session.turns[-1].state == "empty_table"
    file, note = share.save(session, None, "json")
    assert json.loads(file["text"])["attention"] is None and note == ""
    file, note = share.save(session, 9, "html")
    assert "newPlot" not in file["text"] and "kb-notice" in note
    assert "Ask a question first" in share.save(Session(), None, "csv")[1]
