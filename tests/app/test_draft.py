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


def values(draft: TableDraft) -> list[str]:
    return [row.cells[2] for _, row in draft.visible()]


def test_redo_brings_back_what_undo_took_until_something_changes():
    draft = filled(("a", "b", "one"))
    draft.edit({draft.rows[0].id: ["a", "b", "two"]})
    draft.edit({draft.rows[0].id: ["a", "b", "three"]})
    assert draft.undo() and draft.undo() and values(draft) == ["one"]
    assert draft.redo() and values(draft) == ["two"] and draft.can_redo
    draft.edit({draft.rows[0].id: ["a", "b", "other"]})
    assert not draft.can_redo and not draft.redo()
    assert draft.undo() and values(draft) == ["two"]


def test_a_copy_of_a_row_stands_right_below_it_and_is_marked_as_a_duplicate():
    draft = filled(("a", "b", "one"), ("c", "d", "two"))
    copy = draft.duplicate(draft.rows[0].id)
    assert values(draft) == ["one", "one", "two"] and draft.rows[1].id == copy
    assert draft.marks()[draft.rows[0].id].columns == (0, 1)
    assert draft.duplicate(999) is None


def test_a_row_left_out_stays_in_the_table_and_is_no_fact():
    draft = filled(("a", "b", "one"), ("c", "", "two"), ("e", "f", "three"))
    draft.include(False, [draft.rows[0].id])
    assert [triple.value for triple in draft.triples()] == ["three"]
    assert draft.left_out() == 1 and len(draft.visible()) == 3
    assert list(draft.marks()) == [draft.rows[1].id]  # row numbers do not shift
    draft.edit({draft.rows[0].id: ["a", "b", "new"]})
    assert not draft.rows[0].included
    draft.search("three")
    draft.include(False)
    assert [row.included for row in draft.rows] == [False, True, False]  # only what the search finds


def test_sorting_is_a_view_with_numbers_by_size_and_empty_cells_last():
    draft = filled(("Ward 10", "p", "b"), ("Ward 9", "p", ""), ("ward 2", "p", "a"))
    draft.sort(0)
    assert [row.cells[0] for _, row in draft.visible()] == ["ward 2", "Ward 9", "Ward 10"]
    draft.sort(2, descending=True)
    assert values(draft) == ["b", "a", ""]
    assert [row.cells[0] for row in draft.rows] == ["Ward 10", "Ward 9", "ward 2"]  # the later of two duplicates still wins
    added = draft.add_row()
    assert draft.visible()[-1][1].id == added
    draft.sort(None)
    assert values(draft) == ["b", "", "a", ""]


def test_a_pasted_block_follows_the_rows_as_they_are_shown():
    draft = filled(("c", "p", "1"), ("a", "p", "2"), ("b", "p", "3"))
    draft.sort(0)
    draft.paste(draft.rows[1].id, 2, [["first"], ["second"]])
    assert [row.cells[2] for row in draft.rows] == ["1", "first", "second"]
