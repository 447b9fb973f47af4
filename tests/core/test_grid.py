"""Files with other columns and spreadsheets: raw cells, and the two ways to read facts out of them."""

from __future__ import annotations

import datetime
import io

import pytest
from openpyxl import Workbook

from kblam_core import InputError, Triple, parse_table, read_grid, spreadsheet


def book(*rows: tuple, sheets: tuple[str, ...] = ()) -> bytes:
    workbook = Workbook()
    for title in sheets:
        workbook.create_sheet(title)
    sheet = workbook.worksheets[-1]
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def test_a_wide_table_gives_a_fact_for_each_filled_cell():
    grid = read_grid(b"City;Population;Mayor\nOslo;709,037;Anne\nBergen;;Marit\n", name="a.csv")
    assert grid.columns == ["City", "Population", "Mayor"] and grid.looks_wide()
    assert grid.wide(0).triples == [
        Triple("Oslo", "Population", "709,037"),
        Triple("Oslo", "Mayor", "Anne"),
        Triple("Bergen", "Mayor", "Marit"),
    ]


def test_a_long_table_under_other_names_in_another_order():
    grid = read_grid(b"amount\tattribute\tthing\n3\tprice\tLamp\n", name="a.tsv")
    assert not grid.looks_wide()
    assert grid.long(2, 1, 0).triples == [Triple("Lamp", "price", "3")]
    for places in ((0, 0, 1), (0, 1, 9), (-1, 1, 2)):
        with pytest.raises(InputError, match="three different columns"):
            grid.long(*places)
    with pytest.raises(InputError, match="names the entity"):
        grid.wide(7)


def test_an_entity_in_several_rows_looks_long_and_a_file_without_header_keeps_its_first_line():
    grid = read_grid(b"Oslo,mayor,Anne\nOslo,river,Aker\n,,\nOslo,trams,6\n", name="a.csv")
    assert not grid.looks_wide()
    whole = grid.without_header()
    assert whole.columns == ["column 1", "column 2", "column 3"]
    assert whole.long(0, 1, 2).triples[0] == Triple("Oslo", "mayor", "Anne")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_objects_with_other_keys(name):
    text = '{"name": "Oslo", "mayor": "Anne"}\n{"name": "Bergen", "size": 1.10, "tags": ["x"]}\n'
    grid = read_grid(text.encode(), name=name)
    assert grid.columns == ["name", "mayor", "size", "tags"]
    assert Triple("Bergen", "size", "1.10") in grid.wide(0).triples


@pytest.mark.parametrize(
    ("data", "name"), [(b"one\n2\n", "a.csv"), (b"a,b\n", "a.csv"), (b"{}", "a.json"), (b"[1]", "a.json"), (b"", "a.csv")]
)
def test_no_table_at_all_is_an_error(data, name):
    with pytest.raises(InputError):
        read_grid(data, name=name)


def test_a_workbook_is_read_as_a_table():
    rows = [
        (),
        ("Value", "ENTITY", "property"),
        (3.0, "Lamp", "price"),
        (datetime.datetime(2026, 5, 1), "Lamp", "born"),
        (True, "Lamp", "lit"),
    ]
    data = book(*rows, sheets=("later",))
    assert parse_table(data, name="a.xlsx").triples == [
        Triple("Lamp", "price", "3"),
        Triple("Lamp", "born", "2026-05-01"),
        Triple("Lamp", "lit", "true"),
    ]
    grid = read_grid(book(("name", "price", None, "maker"), ("Lamp", 2.5, None, "Ida")), name="a.xlsx")
    assert grid.columns == ["name", "price", "maker"] and grid.wide(0).triples[0] == Triple("Lamp", "price", "2.5")


def test_a_broken_empty_or_huge_workbook_is_one_sentence(monkeypatch):
    for data in (b"", b"no zip", book(), book(("entity", "property", "value"))[:-200]):
        with pytest.raises(InputError, match=r"a\.xlsx"):
            parse_table(data, name="a.xlsx")
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED", 1_000)
    with pytest.raises(InputError, match="unpacks"):
        parse_table(book(("entity", "property", "value")), name="a.xlsx")


def test_rows_marked_as_not_included_are_kept_apart():
    table = parse_table(b"entity,property,value,Included\na,b,c,yes\nd,e,f,No\ng,h,,no\ni,,j,\nk,l,m,\n", name="a.csv")
    assert table.triples == [Triple("a", "b", "c"), Triple("k", "l", "m")]
    assert table.left_out == (Triple("d", "e", "f"),)
    assert [(problem.row, problem.kind) for problem in table.problems] == [(4, "empty_cell")]
    text = '[{"entity": "a", "property": "b", "value": "c", "included": false}, {"entity": "d", "property": "e", "value": "f"}]'
    assert parse_table(text.encode(), name="a.json").left_out == (Triple("a", "b", "c"),)
