"""The page as a whole, without a browser: it builds quickly, hides its plumbing, and says everything in two languages."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import pytest

from app import space
from app.build import build_app, launch_options
from app.host import ModelHost
from app.texts import pick_language, plural, say, static
from app.texts_en import EN
from app.texts_ru import RU
from tests.serving import ROOT


def test_only_ask_is_public():
    blocks = build_app(ModelHost(lambda: pytest.fail("loaded without being asked")))
    assert list(blocks.get_api_info()["named_endpoints"]) == ["/ask"]
    assert blocks.analytics_enabled is False
    assert launch_options()["ssr_mode"] is False


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(taken.getsockname()[1]), "--adapter", "none"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "--port" in done.stderr and "Traceback" not in done.stderr


def test_the_russian_texts_fill_in_the_same_values():
    assert set(RU) <= set(EN)
    fields = re.compile(r"\{(\w+)\}")
    for key, text in RU.items():
        assert set(fields.findall(text)) == set(fields.findall(EN[key])), key


def test_languages_and_plurals():
    assert pick_language("ru-RU,ru;q=0.9,en;q=0.8") == "ru"
    assert pick_language("de-DE,en;q=0.5") == "en" and pick_language(None) == "en"
    assert [plural("en", "fact", count) for count in (0, 1, 2)] == ["0 facts", "1 fact", "2 facts"]
    assert [plural("ru", "fact", count) for count in (1, 3, 11, 25)] == [
        "1 факт",
        "3 факта",
        "11 фактов",
        "25 фактов",
    ]
    assert say("xx", "ask") == "Ask"
    with pytest.raises(KeyError):
        static("no such text")


def test_without_the_spaces_package_nothing_changes():
    def function():
        return 3

    if space.spaces is None:
        assert space.on_gpu(function) is function
    assert space.on_zero_gpu() is False
