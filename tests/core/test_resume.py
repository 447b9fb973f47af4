"""A training run that is killed by SIGKILL, wherever, and started again goes on without a jump in loss."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kblam_core.training import files

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")


def run(folder: Path, stage: str = "none", step: int = 0) -> None:
    """A process of its own, which must end by SIGKILL unless the stage is "none"."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.core.killed_run", str(folder), stage, str(step)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == (0 if stage == "none" else -signal.SIGKILL), done.stderr[-3000:]


def losses(folder: Path) -> tuple[dict[int, float], list[tuple[int, float]]]:
    """By step: of the cross-encoder (what was made last), of the attention."""
    cross = {int(step): float(loss) for step, loss in map(str.split, (folder / "cross.txt").read_text().splitlines())}
    attention = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return cross, [(line["step"], line["total"]) for line in attention]


def test_a_run_killed_in_every_stage_ends_as_the_one_that_was_not(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(whole)
    run(parts, "cross", 5)
    assert torch.load(parts / "cross-checkpoint.pt", weights_only=True)["step"] == 3
    run(parts, "cross-save", 1)  # goes on at step 4, and dies while it writes the checkpoint of step 6
    assert torch.load(parts / "cross-checkpoint.pt", weights_only=True)["step"] == 3, "the earlier checkpoint is whole"
    run(parts, "attention", 5)
    run(parts)
    (cross, attention), (cross_parts, attention_parts) = losses(whole), losses(parts)
    assert sorted(cross_parts) == list(range(1, 9)) and cross_parts == pytest.approx(cross, abs=1e-5)
    assert [step for step, _ in attention_parts] == list(range(1, 9)), "each step once, and no line that was cut short"
    assert dict(attention_parts) == pytest.approx(dict(attention), abs=2e-4)
    one, two = (torch.load(folder / "cross.pt", weights_only=True) for folder in (whole, parts))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-6, rtol=0)


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file.pt"
    files.save({"a": torch.ones(2)}, path)
    monkeypatch.setattr(files.torch, "save", lambda content, part: Path(part).write_bytes(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        files.save({"a": torch.zeros(2)}, path)
    assert torch.equal(torch.load(path, weights_only=True)["a"], torch.ones(2))


def test_a_log_is_trimmed_to_the_step(tmp_path):
    log = tmp_path / "metrics.jsonl"
    files.trim_log(log, 3)
    assert not log.exists()
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st', encoding="utf-8")
    files.trim_log(log, 2)
    assert log.read_text(encoding="utf-8") == '{"step": 1}\n{"step": 2}\n'
