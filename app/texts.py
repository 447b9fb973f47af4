"""Every word on the page, in English and Russian. `say(lang, key, ...)` for texts made in Python, `I18N` for static ones."""

from __future__ import annotations

import gradio as gr

from app.texts_en import EN
from app.texts_ru import RU

LANGUAGES = {"en": EN, "ru": RU}
_OURS = "kblam_playground_"  # gradio translates every choice that is a key, also a visitor's column called "price"
I18N = gr.I18n(**{lang: {_OURS + key: text for key, text in texts.items()} for lang, texts in LANGUAGES.items()})


def say(lang: str, key: str, /, **values: object) -> str:
    """The text `key` in `lang`, filled in. An unknown language falls back to English."""
    text = LANGUAGES.get(lang, EN).get(key) or EN[key]
    return text.format(**values) if values else text


def static(key: str):
    """The text `key` for a component made before any visitor came; the browser picks the language."""
    if key not in EN:
        raise KeyError(key)
    return I18N(_OURS + key)


def pick_language(accept: str | None) -> str:
    """The first language of an Accept-Language header that the page speaks, else "en"."""
    for part in (accept or "").split(","):
        code = part.split(";")[0].strip().lower()[:2]
        if code in LANGUAGES:
            return code
    return "en"


def plural(lang: str, key: str, count: int) -> str:
    """The form of `key` for `count` ("fact_one" / "fact_few" / "fact_many"), with the number in front."""
    if lang == "ru":
        few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
        form = "one" if count % 10 == 1 and count % 100 != 11 else "few" if few else "many"
    else:
        form = "one" if count == 1 else "many"
    return f"{count:,} ".replace(",", " " if lang == "ru" else ",") + say(lang, f"{key}_{form}")
