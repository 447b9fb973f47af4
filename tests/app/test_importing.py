"""Importing: what was left out stays left out, other columns are asked about, nothing typed turns into markup."""

from __future__ import annotations

import html

from app.handlers import importing, table

PANEL, INTRO, RESULT = -8, -7, -1


def upload(session, tmp_path, name: str, data: bytes) -> tuple:
    path = tmp_path / name
    path.write_bytes(data)
    return importing.import_file(session, None, str(path))


def test_export_then_import_keeps_rows_left_out(session, tmp_path):
    session.draft.include(False, [session.draft.rows[1].id])
    text = table.export(session, None)["text"]
    before = {(row.cells, row.included) for row in session.draft.rows}
    upload(session, tmp_path, "facts.csv", text.encode())
    assert {(row.cells, row.included) for row in session.draft.rows} == before
    assert len(session.draft.triples()) == 2


def test_other_columns_open_the_panel_and_leave_the_table(session, tmp_path):
    shown = upload(session, tmp_path, "a.csv", b"name,price\n<b>Lamp</b>,3\n")
    assert shown[PANEL].visible is True and len(session.draft.rows) == 3
    assert "<b>Lamp" not in shown[INTRO] + shown[RESULT]
    assert "This gives 1 fact" in html.unescape(shown[RESULT])
    importing.confirm(session, None, "wide", True, 0, None, None)
    assert [row.cells for row in session.draft.rows] == [("<b>Lamp</b>", "price", "3")]
    table.undo(session, None)
    assert len(session.draft.rows) == 3


def test_a_choice_that_gives_nothing_keeps_table_and_panel(session, tmp_path):
    upload(session, tmp_path, "a.csv", b"thing,attribute,amount\nLamp,,3\n")
    for choice in (("long", True, 0, 0, 1), ("long", True, 0, 1, 2), ("wide", True, None, None, None)):
        shown = importing.confirm(session, None, *choice)
        assert "not imported" in html.unescape(shown[2]) and session.pending and len(session.draft.rows) == 3
    importing.preview(session, "long", False, 0, 1, 2)
    assert importing.cancel(session)[0].visible is False and session.pending is None
    assert len(importing.confirm(session, None, "wide", True, 0, None, None)) == len(shown)  # a late click does nothing
    assert len(session.draft.rows) == 3
