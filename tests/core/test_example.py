"""The example of the library, as the README shows it, runs as it stands and prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def readme_code() -> str:
    """The README's Python block under "From Python, without the page"."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    after = text.split("From Python, without the page:", 1)[1]
    return after.split("```python\n", 1)[1].split("```", 1)[0]


def test_the_readme_shows_the_example_word_for_word():
    example = (ROOT / "examples" / "ten_lines.py").read_text(encoding="utf-8")
    assert readme_code().strip() == example.split('"""')[2].strip()
    assert len([line for line in readme_code().splitlines() if line]) <= 10


def test_the_readmes_ten_lines_run():
    command = [sys.executable, "-X", "utf8", "-c", readme_code()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert "Ingrid Solberg" in first
    assert "Bjørn Aas" in second and second.endswith("| from: Halden Workshop / head")
    assert third == "True"
