"""The example of the library runs as it stands and prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_ten_lines_run():
    example = ROOT / "examples" / "ten_lines.py"
    lines = [line for line in example.read_text(encoding="utf-8").split('"""')[2].splitlines() if line]
    assert len(lines) <= 10
    command = [sys.executable, "-X", "utf8", "-m", "examples.ten_lines"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert "Ingrid Solberg" in first
    assert "Bjørn Aas" in second and second.endswith("| from: Halden Workshop / head")
    assert third == "True"
