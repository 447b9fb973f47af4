"""The draft kept in the browser: comes back as it was, stays small, and is not trusted."""

from __future__ import annotations

import json

import pytest

from app.draft import MAX_ROWS
from app.handlers import table
from app.keeping import MAX_KEPT, kept_rows, to_keep
from app.samples import SAMPLES
from app.session import Session

KEPT = -2  # its place in the view


def reloaded(kept: object) -> Session:
    session = Session()
    table.begin(session, json.loads(json.dumps(kept)))
    return session


def test_an_own_table_comes_back_after_a_reload():
    session = reloaded(None)
    assert session.draft.triples() == SAMPLES["workshop"].triples() and not session.draft.can_undo
    table.pick_sample(session, None, "clinic")
    session.draft.edit({session.draft.rows[0].id: ["${1}", "{{x}}", "<b>"]})
    session.draft.include(False, [session.draft.rows[1].id])
    later = reloaded(to_keep(session))
    assert [(row.cells, row.included) for row in later.draft.rows] == [(row.cells, row.included) for row in session.draft.rows]
    assert later.sample == "clinic" and not later.draft.can_undo


def test_an_untouched_sample_is_not_kept_and_an_empty_table_is():
    session = reloaded(None)
    assert "rows" not in to_keep(session)
    table.clear(session, None)
    assert reloaded(to_keep(session)).draft.rows == []
    table.start_over(session, None)
    assert "rows" not in to_keep(session)


def test_only_a_change_is_sent_to_the_browser():
    session = reloaded(None)
    assert "value" not in table.view(session)[KEPT]
    session.draft.append([("a", "b", "c")])
    assert table.view(session)[KEPT]["rows"][-1] == ["a", "b", "c"]
    assert "value" not in table.view(session)[KEPT]


def test_a_large_table_is_not_kept_and_that_is_said():
    session = reloaded(None)
    session.draft.replace([("e", "p", "x" * 10_000)] * (MAX_KEPT // 10_000 + 1))
    view = table.view(session)
    assert "rows" not in view[KEPT] and "too large" in view[1]
    assert reloaded(view[KEPT]).draft.triples() == SAMPLES["workshop"].triples()


@pytest.mark.parametrize(
    "kept",
    [
        3,
        "text",
        [],
        {"v": 1},
        {"v": 2, "rows": [["a", "b", "c"]]},
        {"v": 1, "rows": [["a", "b"]]},
        {"v": 1, "rows": [["a", "b", 3]]},
        {"v": 1, "rows": [["a", "b", "c", "no"]]},
        {"v": 1, "rows": [["a", "b", "c"]] * (MAX_ROWS + 1)},
    ],
)
def test_a_stored_draft_that_makes_no_sense_is_left_aside(kept):
    assert kept_rows(kept) is None
    assert reloaded(kept).draft.triples() == SAMPLES["workshop"].triples()


def test_an_unknown_sample_name_does_no_harm():
    assert reloaded({"v": 1, "rows": [["a", "b", "c"]], "sample": ["x"]}).sample == "workshop"
