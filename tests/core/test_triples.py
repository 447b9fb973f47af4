"""Reading tables: what people really hand in is either read right or answered with a sentence that says what to do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kblam_core.errors import InputError, KblamError
from kblam_core.textfile import clean_cell
from kblam_core.triples import Triple, clean_rows, parse_table, read_table, triples_to_csv, write_table

GOOD = "entity,property,value\nHalden Workshop,director,Mara Lund\n"
HALDEN = Triple("Halden Workshop", "director", "Mara Lund")
cells = st.text(min_size=1, max_size=40).map(clean_cell).filter(bool)
triple_lists = st.lists(
    st.builds(Triple, cells, cells, cells),
    max_size=8,
    unique_by=lambda t: (t.entity.casefold(), t.property.casefold()),
)


def parse(content: str | bytes, name: str = "facts.csv"):
    return parse_table(content if isinstance(content, bytes) else content.encode(), name=name)


def kinds(table) -> list[str]:
    return [problem.kind for problem in table.problems]


def test_a_triple_says_its_key_and_value():
    assert HALDEN.key_text == "the director of Halden Workshop"
    assert HALDEN.value_text == "Mara Lund"


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        b"\xfe\xff" + GOOD.encode("utf-16-be"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        b"\n\n" + GOOD.encode(),
        b"VALUE,Entity, property \nMara Lund,Halden Workshop,director\n",
    ],
)
def test_one_table_in_many_dresses(content):
    table = parse(content)
    assert table.triples == [HALDEN]
    assert table.problems == []


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl"])
@given(triples=triple_lists)
def test_what_is_written_is_read_back(tmp_path_factory, suffix, triples):
    path = tmp_path_factory.mktemp("tables") / f"facts{suffix}"
    write_table(triples, path)
    if triples or suffix in (".csv", ".tsv"):
        assert read_table(path).triples == triples


@given(triples=triple_lists)
def test_csv_text_round_trip(triples):
    assert parse(triples_to_csv(triples)).triples == triples


@given(data=st.binary(max_size=300), name=st.sampled_from(["a.csv", "a.tsv", "a.json", "a.jsonl", "a.txt", "a"]))
def test_any_bytes_are_read_or_refused_kindly(data, name):
    try:
        parse_table(data, name=name)
    except InputError as error:
        assert str(error).endswith((".", ")", "}", "”")) and "\n" not in str(error)


@given(
    rows=st.lists(
        st.lists(st.one_of(st.text(max_size=8), st.none(), st.floats(), st.integers()), max_size=5),
        max_size=12,
    )
)
def test_clean_rows_never_raises_and_is_stable(rows):
    table = clean_rows(rows)
    assert all(cell for triple in table.triples for cell in (triple.entity, triple.property, triple.value))
    again = clean_rows([(triple.entity, triple.property, triple.value) for triple in table.triples])
    assert again.triples == table.triples
    assert again.problems == []


def test_the_last_of_two_duplicates_wins_and_is_named():
    table = clean_rows([("Halden", "director", "Mara"), ("x", "y", "z"), ("HALDEN", "Director", "Ola")])
    assert table.triples == [Triple("x", "y", "z"), Triple("HALDEN", "Director", "Ola")]
    assert kinds(table) == ["duplicate"]
    assert table.problems[0].row == 1
    assert "row 3 wins" in table.problems[0].message


def test_half_filled_rows_are_left_out_and_empty_ones_vanish():
    table = clean_rows([("", " ", None), ("A", "", "c"), ("A", "b"), ("A", "b", "\ufeff\u200b"), ("A", "b", "c")])
    assert table.triples == [Triple("A", "b", "c")]
    assert [(problem.row, problem.kind) for problem in table.problems] == [(n, "empty_cell") for n in (2, 3, 4)]


def test_long_cells_and_too_many_rows():
    table = clean_rows([("A", "b", "c" * 2001), ("A", "b", "c" * 2000)])
    assert kinds(table) == ["too_long"]
    table = clean_rows((f"E{number}", "p", "v") for number in range(50_000))
    assert len(table.triples) == 20_000
    assert kinds(table) == ["too_many_rows"]
    assert "50,000 rows" in table.problems[0].message
    assert len(clean_rows([("a", "b", "c"), ("d", "e", "f")], max_rows=1).triples) == 1


def test_strange_cells_pass_unharmed():
    rows = [
        ("<b>x</b>", "${1}", "{{x}}"),
        ("Кафе", "адрес", "Невский, 1"),
        ("🙂", "is", "a\nb"),
        ("e\u0301", "p", "\ud800"),
    ]
    table = clean_rows(rows)
    assert table.problems == []
    assert table.triples[:3] == [Triple(*row) for row in rows[:3]]
    assert table.triples[3] == Triple("é", "p", "\ufffd")
    assert parse(triples_to_csv(table.triples)).triples == table.triples


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "a.csv", "empty"),
        (" \n\n", "a.csv", "empty"),
        ("a,b\n1,2\n", "a.csv", "found the columns a, b; needed are entity, property, value"),
        ('entity,property,value\nA,b,c\nD,e,"f\nG,h,i\n', "a.csv", "line 3"),
        ('entity,property,value\nA,"b"x,c\n', "a.csv", "quotes do not match"),
        ("entity,value,property,value\nA,b,c,d\n", "a.csv", "twice"),
        ("entity,property,value\nA\0,b,c\n", "a.csv", "NUL"),
        (GOOD.encode("utf-16-le"), "a.csv", "NUL"),
        (b"\xff\xfe\x00\xd8\x00", "a.csv", "UTF-16"),
        (b"PK\x03\x04xxxx", "a.csv", "spreadsheet"),
        ("x", "a.xls", ".csv, .tsv, .json"),
        ('{"a": 1}', "a.json", "an object"),
        ("[1, 2]", "a.json", "item 1"),
        ("[]", "a.json", "no facts"),
        ('[{"entity": "A"}]', "a.json", "found the columns entity"),
        ('[{"entity": "A", "property": "b", "value": ["c"]}]', "a.json", "a list"),
        ('{"entity": }', "a.json", "not valid JSON"),
        ("[" * 100_000, "a.json", "nested"),
        ('{"entity": "A", "property": "b", "value": "c"}\nnope\n', "a.jsonl", "line 2"),
        ('entity,property,value\n"' + "a" * 200_000 + '",b,c', "a.csv", "131,072"),
    ],
)
def test_broken_tables_say_what_to_do(content, name, says):
    with pytest.raises(InputError) as caught:
        parse(content, name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(KblamError, match="no table file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_table("a\0b.csv")
    with pytest.raises(InputError, match=r"\.xlsx"):
        write_table([HALDEN], tmp_path / "out.xlsx")


def test_latin_1_is_read_with_a_note():
    table = parse("entity,property,value\nCafé,b,c\n".encode("latin-1"))
    assert table.triples == [Triple("Café", "b", "c")]
    assert kinds(table) == ["encoding"]


def test_extra_columns_are_ignored_with_a_note():
    table = parse("id,entity,property,value\n1,A,b,c\n2,D,e\n")
    assert table.triples == [Triple("A", "b", "c")]
    assert kinds(table) == ["extra_columns", "empty_cell"]
    assert "id" in table.problems[0].message


def test_json_shapes():
    official = [
        {
            "name": "A",
            "description_type": "purpose",
            "description": "x",
            "Q": "q",
            "A": "a",
            "key_string": "k",
        }
    ]
    assert parse(json.dumps(official), "a.json").triples == [Triple("A", "purpose", "x")]
    wrapped = '{"triples": [["A", "b", 1.10], {"Entity": "C", "property": "d", "value": true}]}'
    assert parse(wrapped, "a.json").triples == [Triple("A", "b", "1.10"), Triple("C", "d", "true")]
    lines = '{"entity": "A", "property": "b", "value": 3}\n\n{"entity": "C", "property": "d", "value": null}\n'
    table = parse(lines, "a.jsonl")
    assert table.triples == [Triple("A", "b", "3")]
    assert kinds(table) == ["empty_cell"]
    assert parse(lines, "a.json").triples == table.triples
