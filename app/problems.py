"""What kblam_core says went wrong, in the visitor's language.

The library speaks English. Its sentences about tables and files are known here word for word; of any other the visitor reads what kind
of trouble it is, with the English sentence as the detail.
"""

from __future__ import annotations

import re
from functools import cache

from kblam_core import InputError, KblamError, MissingWeightsError, NotEnoughMemoryError, ServiceError, UnsupportedModelError

RU_KINDS = (
    (MissingWeightsError, "Веса модели получить не удалось; проверьте сеть и доступ."),
    (ServiceError, "Внешняя служба не ответила как нужно; попробуйте позже."),
    (UnsupportedModelError, "Эта модель здесь не работает; выберите другую."),
    (NotEnoughMemoryError, "Для этой модели не хватает памяти; выберите модель поменьше."),
    (InputError, "Так не получится; исправьте ввод."),
    (object, "Не получилось; попробуйте ещё раз."),
)
SHAPE = 'a list of objects such as {{"entity": "...", "property": "...", "value": "..."}} (keys entity, property, value)'
SHAPE_RU = 'список объектов вида {{"entity": "...", "property": "...", "value": "..."}} (ключи entity, property, value)'
RU_SENTENCES = {
    "Row {row} has no {columns}, so it is left out. Fill the cell to use the row.": "В строке {row} нет: {columns}. Она не "
    "используется; заполните ячейку.",
    "Row {row}: the {column} is longer than {limit} characters, so the row is left out. Shorten it.": "Строка {row}: в ячейке "
    "«{column}» больше {limit} знаков, строка не используется. Сократите текст.",
    "Rows {first} and {row} both give the {name} of {entity}; row {row} wins.": "Строки {first} и {row} задают одно и то же: {entity}, "
    "{name}. Действует строка {row}.",
    "The table has {rows} rows; the first {used} are used and {left} are left out.": "В таблице строк: {rows}. Используются первые {used}, "
    "не используются {left}.",
    "{name}: ignored the extra columns {seen}; only entity, property, value are used.": "{name}: лишние столбцы не взяты: {seen}. "
    "Нужны только entity, property, value.",
    "{name} is not UTF-8; it was read as Windows-1252 (Latin-1). If letters look wrong, save it as UTF-8.": "Файл {name} не в UTF-8; он "
    "прочитан как Windows-1252 (Latin-1). Если буквы выглядят неверно, сохраните его в UTF-8.",
    "{name}: tables are read from .csv, .tsv, .json, .jsonl and .xlsx files. Save it as one of these.": "{name}: таблицы читаются из "
    "файлов .csv, .tsv, .json, .jsonl и .xlsx. Сохраните её в одном из этих видов.",
    "{name} is empty. It needs at least a header line and one row.": "Файл {name} пуст. Нужны хотя бы строка заголовка и одна строка.",
    "{name} is a spreadsheet or zip file, not text. Save the sheet as .xlsx or CSV (UTF-8) and use that file.": "{name}: это "
    "электронная таблица или архив, а не текст. Сохраните лист как .xlsx или CSV (UTF-8).",
    "{name} contains NUL {marks}, so it is not plain text. Save it as UTF-8 text and try again.": "В файле {name} есть нулевые байты, это "
    "не простой текст. Сохраните его как текст UTF-8.",
    "{name} is broken UTF-16 text. Save it as UTF-8 and try again.": "{name}: повреждённый текст UTF-16. Сохраните его в UTF-8.",
    "{name} is not an Excel workbook. Save it as .xlsx or CSV and try again.": "{name}: это не книга Excel. "
    "Сохраните её как .xlsx или CSV.",
    "{name} unpacks to over {size} MB. Keep only the sheet with the facts, or save it as CSV.": "{name} занимает в распакованном виде "
    "больше {size} МБ. Оставьте только лист с фактами или сохраните его как CSV.",
    "{name} could not be read as an Excel workbook ({detail}). Save it again, or as CSV.": "{name} не читается как книга Excel "
    "({detail}). Сохраните её ещё раз или как CSV.",
    "{name}: found the columns {seen}; needed are entity, property, value. {advice}": "{name}: найдены столбцы {seen}; нужны entity, "
    "property, value. Назовите их так в первой строке.",
    "{name}: the column {twice} is there twice. Remove or rename one of the two.": "{name}: столбец {twice} есть дважды. Уберите или "
    "переименуйте один из них.",
    "{name}: a cell in the row that starts on line {line} is over {limit} characters long. Shorten it, or close a quote left open there.": (
        "{name}: в строке файла {line} есть ячейка длиннее {limit} знаков. Сократите её или закройте там кавычку."
    ),
    '{name}: the quotes do not match in {place}. Close the quote there, or double the quotes inside the cell ("").': "{name}: кавычки не "
    'сходятся ({place}). Закройте кавычку или удвойте кавычки внутри ячейки ("").',
    f"{{name}}: expected {SHAPE}, but item {{item}} is {{found}}. Rewrite it in that shape.": f"{{name}}: нужен {SHAPE_RU}, а "
    "элемент {item}: {found}. Перепишите его так.",
    f"{{name}}: expected {SHAPE}, but the file holds {{found}}. Rewrite it in that shape.": f"{{name}}: нужен {SHAPE_RU}, а в файле "
    "{found}. Перепишите его так.",
    "{name}: expected a list of objects or of rows, but the file holds {found}. Rewrite it in that shape.": "{name}: нужен список "
    "объектов или строк, а в файле {found}. Перепишите его так.",
    f"{{name}} holds no facts. Expected {SHAPE}.": f"В файле {{name}} нет фактов. Нужен {SHAPE_RU}.",
    "{name}: the {column} of item {item} is {found}; it must be text or a number.": "{name}: {column} в элементе {item}: {found}; нужен "
    "текст или число.",
    "{name} mixes objects and rows. Use one of the two for all items.": "{name}: объекты и строки вперемешку. Оставьте что-то одно.",
    "{name}: line {line} is not valid JSON ({detail}). Each line must be one object.": "{name}: строка {line} не JSON ({detail}). Каждая "
    "строка должна быть одним объектом.",
    "{name} is not valid JSON ({detail} at line {line}, column {at}). Correct it there.": "{name}: ошибка JSON в строке {line}, позиции "
    "{at} ({detail}). Исправьте её там.",
    "{name} is not usable JSON (nested too deeply). Expected a flat list of objects.": "{name}: слишком глубокая вложенность JSON. Нужен "
    "простой список объектов.",
    "{name} holds no table with two columns and a row below their names. Choose another file.": "В файле {name} нет таблицы с двумя "
    "столбцами и строкой под их названиями. Выберите другой файл.",
    "Choose three different columns for the entity, the property and the value.": "Выберите три разных столбца: сущность, свойство и "
    "значение.",
    "Choose the column that names the entity; the others become its properties.": "Выберите столбец, где названа сущность; остальные "
    "станут её свойствами.",
}
RU_WORDS = {
    "entity": "сущность",
    "property": "свойство",
    "value": "значение",
    "an object": "объект",
    "a list": "список",
    "a text or number": "текст или число",
    "true or false": "да или нет",
    "null": "пусто",
    "none": "нет",
    "the header line": "строка заголовка",
    "one of its lines": "одна из строк",
}
LINE, LINE_RU = "the row that starts on line ", "строка файла "
WORDED = ("columns", "column", "found", "place")  # parts that are the library's words, not the visitor's


class Said(InputError):
    """A problem that the page itself has put into the visitor's language."""


def in_words(lang: str, problem: KblamError | str) -> str:
    """An error or a remark of kblam_core for the visitor to read; in English it is what the library says."""
    text = str(problem)
    if lang != "ru" or isinstance(problem, Said):
        return text
    for pattern, translated in _patterns():
        if match := pattern.fullmatch(text):
            return translated.format(**{name: _worded(name, part) for name, part in match.groupdict().items()})
    kind = next(told for kind, told in RU_KINDS if isinstance(problem, kind))
    return f"{kind} Подробно (по-английски): {text}"


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_pattern(sentence), re.DOTALL), told) for sentence, told in RU_SENTENCES.items())


def _pattern(sentence: str) -> str:
    """An expression for the sentence with its {parts} as groups; a part that comes again must say the same again."""
    pieces = re.split(r"(?<!\{)\{(\w+)\}(?!\})", sentence)  # text, name, text, ...
    known: set[str] = set()
    for place, piece in enumerate(pieces):
        if place % 2 == 0:
            pieces[place] = re.escape(piece.replace("{{", "{").replace("}}", "}"))
        else:
            pieces[place] = f"(?P={piece})" if piece in known else f"(?P<{piece}>.+?)"
            known.add(piece)
    return "".join(pieces)


def _worded(name: str, part: str) -> str:
    if name not in WORDED:
        return part
    return ", ".join(RU_WORDS.get(word, word) for word in part.split(" and no ")).replace(LINE, LINE_RU)
