"""The table's buttons: import and export, paste, problems in words, samples; what was typed always comes along."""

from __future__ import annotations

import html
from types import SimpleNamespace

import pytest

from app.handlers import api, importing, table
from app.samples import SAMPLES
from kblam_core import InputError, parse_table

PROBLEMS, STATUS, VALUE = 2, 1, 0


def op(session, **data) -> tuple:
    return table.operate(session, None, SimpleNamespace(_data=data))


def imported(session, tmp_path, name: str, data: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return html.unescape(importing.import_file(session, None, str(path))[PROBLEMS])


def test_the_view_shows_rows_numbers_and_marks(session):
    session.draft.append([("Laurel House", "DIRECTOR", "Adela Crane"), ("x", "", "y")])
    view = table.view(session)
    value = view[VALUE]
    assert [number for _, number, *_ in value["rows"]] == [1, 2, 3, 4, 5]
    assert sorted(columns for _, columns in value["marks"].values()) == [[0, 1], [1]]  # a duplicate, an empty property
    assert "3 facts" in html.unescape(view[STATUS]) and "2 problems" in html.unescape(view[STATUS])
    assert "row 4 wins" in html.unescape(view[PROBLEMS])


def test_delete_add_and_paste_inside_the_editor(session):
    op(session, name="delete", id=session.draft.rows[0].id)
    assert session.draft.rows[0].cells[0] == "Laurel House"
    view = op(session, name="add")
    assert view[VALUE]["focus"] == session.draft.rows[-1].id
    op(session, name="paste", id=session.draft.rows[-1].id, column=0, text='a\tb\t"c ""d"""\ne\tf\tg')
    assert [row.cells for row in session.draft.rows[-2:]] == [("a", "b", 'c "d"'), ("e", "f", "g")]


def test_fifty_thousand_pasted_rows_are_cut_with_a_word(session):
    text = "\n".join(f"e{number}\tp\tv" for number in range(50_000))
    view = op(session, name="paste", id=session.draft.rows[0].id, column=0, text=text)
    assert "20,000" in html.unescape(view[PROBLEMS])
    assert len(session.draft.triples()) == 20_000
    assert len(view[VALUE]["rows"]) == 50


def test_import_replaces_the_table_and_undo_brings_it_back(session, tmp_path):
    said = imported(session, tmp_path, "new.csv", b"entity,property,value\nA,b,c\n")
    assert "Imported 1 fact from new.csv" in said
    assert [row.cells for row in session.draft.rows] == [("A", "b", "c")]
    table.undo(session, None)
    assert len(session.draft.rows) == 3


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("other.csv", b"name\nA\n", "name"),
        ("book.xlsx", b"PK\x03\x04 no book", "Excel"),
        ("quote.csv", b'entity,property,value\nA,"b,c\n', "quote"),
        ("empty.csv", b"", "empty"),
        ("list.json", b"[1, 2", "JSON"),
        ("photo.png", b"\x89PNG", ".csv"),
        ("head.csv", b"entity,property,value\n", "head.csv"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_table_and_says_why(session, tmp_path, name, data, word):
    said = imported(session, tmp_path, name, data)
    assert "not imported" in said and word in said and "Traceback" not in said
    assert len(session.draft.rows) == 3


def test_other_encodings_and_formats_are_read(session, tmp_path):
    imported(session, tmp_path, "latin.csv", "entity,property,value\nCafé Königsee,Größe,12 m²\n".encode("latin-1"))
    assert session.draft.rows[0].cells == ("Café Königsee", "Größe", "12 m²")
    imported(session, tmp_path, "wide.tsv", "entity\tproperty\tvalue\nЗавод\tдиректор\tАнна 🎻\n".encode("utf-16"))
    assert session.draft.rows[0].cells == ("Завод", "директор", "Анна 🎻")


def test_export_then_import_is_the_same_table(session):
    session.draft.append([('"quoted", <b>', "${1}", "{{x}}, два")])
    exported = table.export(session, None)
    assert exported["name"].endswith(".csv")
    assert parse_table(exported["text"].encode(), name="facts.csv").triples == session.draft.triples()


@pytest.mark.parametrize("key", SAMPLES)
def test_samples_are_clean_and_of_a_natural_size(session, key):
    *_, chips = table.pick_sample(session, None, key)
    assert 20 <= len(session.draft.triples()) <= 40
    assert session.draft.problems() == []
    assert len(chips["items"]) == 4


def test_the_api_explains_wrong_rows():
    assert api.as_rows([["a", "b", 3], {"entity": "x", "property": "y", "value": None}]) == [
        ["a", "b", "3"],
        ["x", "y", ""],
    ]
    for wrong in ("text", [["a", "b"]], [5]):
        with pytest.raises(InputError, match="entity"):
            api.as_rows(wrong)


def test_export_names_the_rows_left_out_only_when_there_are_any(session):
    assert table.export(session, None)["text"].splitlines()[0] == "entity,property,value"
    op(session, name="include", id=session.draft.rows[1].id, on=False)
    lines = table.export(session, None)["text"].splitlines()
    assert lines[0] == "entity,property,value,included"
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == ["yes", "no", "yes"]
    view = table.view(session)
    assert [included for *_, included in view[VALUE]["rows"]] == [True, False, True] and view[VALUE]["included"] is None
    assert "1 left out" in html.unescape(view[STATUS])


def test_a_click_on_a_head_sorts_up_then_down_then_not(session):
    seen = [op(session, name="sort", column=2)[VALUE] for _ in range(3)]
    assert [value["sorted"] for value in seen] == [(2, False), (2, True), None]
    assert [row[2][2] for row in seen[0]["rows"]] == ["2,480 euros", "Ingrid Solvang", "Tomasz Wilk"]


def test_starting_over_is_the_sample_and_undo_the_own_table(session):
    *_, sample, chips = table.start_over(session, None)
    assert sample["value"] == "workshop" and len(chips["items"]) == 4
    assert session.draft.triples() == SAMPLES["workshop"].triples()
    table.undo(session, None)
    assert len(session.draft.rows) == 3
    table.redo(session, None)
    assert session.draft.triples() == SAMPLES["workshop"].triples()
