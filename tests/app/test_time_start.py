"""The script that times a start: it takes README's own line, and stops what it started. (The whole of it downloads gigabytes.)"""

from __future__ import annotations

import os
import shlex
import sys

import pytest

from tests.serving import ROOT
from tools.time_start import again, start_line, time_start


def test_it_runs_the_line_of_the_readme():
    line = start_line((ROOT / "README.md").read_text(encoding="utf-8"))
    assert line.startswith("python3 -m venv .venv && ") and "requirements.txt" in line
    assert again(line) == ".venv/bin/python app.py"


def test_a_readme_without_the_line_is_named():
    with pytest.raises(ValueError, match="README"):
        start_line("# Nothing here")


def test_a_real_start_is_timed_to_its_first_answer(tmp_path):
    line = f"{shlex.quote(sys.executable)} {shlex.quote(str(ROOT / 'app.py'))}"
    times = time_start(line, tmp_path, os.environ)
    assert 0 < times["page_s"] <= times["answer_s"]


def test_a_line_that_ends_says_what_it_printed(tmp_path):
    with pytest.raises(RuntimeError, match="no such luck"):
        time_start("echo no such luck; exit 1", tmp_path, os.environ)
