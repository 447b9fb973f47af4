"""The table draft: edits by id, undo, search and pages over thousands of rows, problems in words."""

from __future__ import annotations

import time

from app.draft import MAX_TYPED, PAGE_SIZE, TableDraft
from kblam_core import Triple


def filled(*rows: tuple[str, str, str]) -> TableDraft:
    draft = TableDraft()
    draft.replace(rows, undoable=False)
    return draft


def test_an_edit_changes_the_facts_and_undo_brings_them_back():
    draft = filled(("Halden", "director", "Ingrid"))
    assert draft.edit({draft.rows[0].id: ["Halden", "director", "Tomasz"]})
    assert draft.triples() == [Triple("Halden", "director", "Tomasz")]
    assert draft.undo()
    assert draft.triples() == [Triple("Halden", "director", "Ingrid")]
    assert not draft.undo()


def test_an_edit_that_changes_nothing_makes_no_undo_step():
    draft = filled(("a", "b", "c"))
    assert not draft.edit({draft.rows[0].id: ["a", "b", "c"], 999: ["x", "y", "z"]})
    assert not draft.can_undo


def test_adding_shows_the_new_row_and_uses_an_empty_one_again():
    draft = filled(*[(f"e{number}", "p", "v") for number in range(PAGE_SIZE)])
    first = draft.add_row()
    assert draft.page == 1
    assert [row.id for _, row in draft.visible()] == [first]
    assert draft.add_row() == first
    assert len(draft.triples()) == PAGE_SIZE


def test_the_last_row_can_be_deleted():
    draft = filled(("a", "b", "c"))
    draft.delete([draft.rows[0].id])
    assert draft.rows == [] and draft.triples() == []
    assert draft.visible() == [] and draft.pages() == 1


def test_search_finds_words_in_any_column_and_keeps_all_rows():
    draft = filled(("Halden Workshop", "director", "Ingrid"), ("Laurel House", "founder", "Adela"))
    draft.search("house ADELA")
    assert [number for number, _ in draft.visible()] == [2]
    assert len(draft.triples()) == 2


def test_problems_are_words_and_mark_their_rows():
    draft = filled(("a", "b", "one"), ("a", "B", "two"), ("c", "", "three"))
    assert [triple.value for triple in draft.triples()] == ["two"]
    assert {problem.kind for problem in draft.problems()} == {"duplicate", "empty_cell"}
    marks = draft.marks()
    assert marks[draft.rows[0].id] and marks[draft.rows[2].id]
    assert draft.rows[1].id not in marks


def test_a_pasted_block_lies_over_cells_and_adds_rows():
    draft = filled(("a", "b", "c"), ("d", "e", "f"))
    draft.paste(draft.rows[1].id, 1, [["x", "y", "dropped"], ["p", "q"]])
    assert [row.cells for row in draft.rows] == [("a", "b", "c"), ("d", "x", "y"), ("", "p", "q")]


def test_twenty_thousand_rows_stay_quick():
    rows = [(f"entity {number}", "property", f"value {number}") for number in range(20_000)]
    draft = filled(*rows)
    start = time.perf_counter()
    draft.search("19999")
    assert [row.cells[0] for _, row in draft.visible()] == ["entity 19999"]
    draft.edit({draft.rows[5].id: ["entity 5", "property", "changed"]})
    assert draft.triples()[5].value == "changed"
    assert time.perf_counter() - start < 3.0
    draft.search("")
    draft.page = 10_000
    assert len(draft.visible()) == PAGE_SIZE and draft.page == draft.pages() - 1


def test_any_cell_becomes_one_bounded_line():
    draft = filled(("a\nb", None, "x" * (MAX_TYPED + 5)))
    assert draft.rows[0].cells == ("a b", "", "x" * MAX_TYPED)
