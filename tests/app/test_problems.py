"""A Russian visitor reads in Russian what went wrong: every sentence the library says of tables and files, and the kind of any other."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest

from app.export import answer_html
from app.handlers import causal, chat, compare, importing, share, table
from app.host import ModelHost
from app.problems import RU_SENTENCES, in_words
from app.session import Session
from app.texts_en import EN
from kblam_core import (
    InputError,
    KblamError,
    MissingWeightsError,
    NotEnoughMemoryError,
    ServiceError,
    UnsupportedModelError,
    clean_rows,
    parse_table,
    read_grid,
)

GOOD = "entity,property,value\n"
OF_FACTS = [
    [("A", "", "")],
    [("A", "p", "x" * 3000)],
    [("value", "p", "1"), ("value", "p", "2")],
]


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "no sheet")
    return buffer.getvalue()


FILES = {
    "notes.pdf": b"x",
    "empty.csv": b" \n",
    "sheet.csv": zipped(),
    "nul.csv": b"a\x00b",
    "wide.csv": b"\xff\xfea",
    "no.xlsx": b"no workbook",
    "odd.xlsx": zipped(),
    "other.csv": b"who,what\n1,2\n",
    "twice.csv": b"entity,property,value,value\n1,2,3,4\n",
    "quotes.csv": (GOOD + 'A,b,"c\n').encode(),
    "head.csv": b'entity,"property,value\n',
    "huge.csv": (GOOD + "A,b," + "x" * 200_000 + "\n").encode(),
    "item.json": b"[1]",
    "text.json": b'"x"',
    "none.json": b"[]",
    "cell.json": json.dumps([{"entity": [1], "property": "p", "value": "v"}]).encode(),
    "line.jsonl": b"{\n",
    "bad.json": b"{",
    "deep.json": b"[" * 100_000,
}
GRIDS = {"one.csv": b"a\n1\n", "mixed.json": b'[{"a": 1}, [2]]', "text.json": b'"x"', "quotes.csv": b'"a,b\n"c'}


def problem_of(read, data: bytes, name: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read(data, name=name)
    return caught.value


def translated(problem: KblamError | str) -> str:
    """The Russian sentence, which is one of the known ones."""
    told = in_words("ru", problem)
    assert re.search("[А-я]", told) and "по-английски" not in told, told
    assert in_words("en", problem) == str(problem)
    return told


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_is_told_in_russian(name):
    assert name in translated(problem_of(parse_table, FILES[name], name))


@pytest.mark.parametrize("name", GRIDS)
def test_a_file_without_columns_is_told_in_russian(name):
    assert name in translated(problem_of(read_grid, GRIDS[name], name))


@pytest.mark.parametrize("rows", OF_FACTS)
def test_a_row_that_cannot_be_used_is_told_in_russian(rows):
    for problem in clean_rows(rows).problems:
        assert not re.search("[A-Za-z]{3}", translated(problem.message).replace("value", ""))


def test_words_of_the_visitor_stay_and_words_of_the_library_are_translated():
    assert "В строке 1 нет: свойство, значение." in translated(clean_rows(OF_FACTS[0]).problems[0].message)
    assert "value, p." in translated(clean_rows(OF_FACTS[2]).problems[0].message)


def test_remarks_on_a_whole_table_and_on_chosen_columns_are_told_in_russian():
    translated(clean_rows([("A", str(row), "1") for row in range(3)], max_rows=2).problems[0].message)
    for data in (b"entity,property,value,note\nA,b,c,d\n", "entity,property,value\nCaf\xe9,b,c\n".encode("latin-1")):
        translated(parse_table(data, name="facts.csv").problems[0].message)
    grid = read_grid(b"a,b,c\n1,2,3\n", name="g.csv")
    for choose in (lambda: grid.long(0, 0, 1), lambda: grid.wide(-1)):
        with pytest.raises(InputError) as caught:
            choose()
        translated(caught.value)


def test_each_known_sentence_has_the_same_parts_in_both_languages():
    for english, russian in RU_SENTENCES.items():
        parts = [set(re.findall(r"(?<!\{)\{(\w+)\}", text)) for text in (english, russian)]
        assert parts[1] <= parts[0], english


@pytest.mark.parametrize("kind", [MissingWeightsError, ServiceError, UnsupportedModelError, NotEnoughMemoryError, InputError, KblamError])
def test_any_other_trouble_is_told_by_its_kind_with_the_detail(kind):
    told = in_words("ru", kind("There is no adapter for 'x'."))
    assert re.match("[А-я]", told) and told.endswith("(по-английски): There is no adapter for 'x'.")


@pytest.fixture
def russian(session) -> Session:
    session.lang = "ru"
    return session


def english(told: object) -> list[str]:
    """English sentences of the page in what a handler returned."""
    text = str(told)
    return [sentence for sentence in EN.values() if len(sentence) > 12 and "{" not in sentence and sentence in text]


def test_the_page_says_nothing_in_english_to_a_russian_visitor(russian, host, tmp_path):
    told: list = [chat.accept(russian, {}, " "), chat.accept(russian, {}, "x" * 5000), share.save(russian, None, "json")]
    russian.draft.replace([("A", "", "1"), ("B", "p", "1"), ("B", "p", "2")])
    shown = table.view(russian)
    told.append(shown)
    assert "В строке 1 нет" in shown[2] and all(re.search("[А-я]", mark) for mark, _ in shown[0]["marks"].values())
    for name, data in {**FILES, "prices.csv": b"name,price,maker\nLamp,3,Ida\n"}.items():
        (tmp_path / name).write_bytes(data)
        told.append(importing.import_file(russian, {}, str(tmp_path / name)))
    told.append(importing.preview(russian, "long", True, 0, 0, 1))
    for question in ("Who is the director of Linden House?", "What is the p of B?"):
        chat.accept(russian, {}, question)
        told += list(chat.stream(russian, host, "kblam", 0.2))
    told.append(causal.accept(russian, type("Click", (), {"_data": {"name": "what_if", "turn": 2, "row": 0, "value": "x" * 3000}})()))
    assert not [sentence for one in told for sentence in english(one)]
    assert "longer than" not in str(told) and "found the columns" not in str(told)


def test_a_model_that_cannot_be_loaded_is_told_in_russian_in_banner_chat_and_comparison(russian):
    def load():
        raise MissingWeightsError("The weights are not here.")

    broken = ModelHost(load)
    broken.start()
    assert broken.wait(5)
    chat.accept(russian, {}, "Who?")
    for told in (
        chat.banner(russian, broken),
        *chat.stream(russian, broken, "kblam", 0.2),
        *compare.stream(russian, broken, {}, "Who?", 0.2),
    ):
        assert "The weights are not here." not in str(told) or "Веса модели получить не удалось" in str(told)
    assert "Веса модели получить не удалось" in str(russian.turns[-1].text) and "Веса модели" in russian.comparison.problem


def test_the_saved_page_is_russian_up_to_the_titles_of_its_maps(russian, host):
    chat.accept(russian, {}, "Who is the director of the Halden Workshop?")
    list(chat.stream(russian, host, "kblam", 0.2))
    page = answer_html(russian.turns[-1], "ru")
    titles = [json.loads(f'"{title}"') for title in re.findall(r'"title":\{[^{}]*"text":"((?:[^"\\]|\\.)*)"', page)]
    assert titles and all(re.search("[А-я]", title) for title in titles), titles
