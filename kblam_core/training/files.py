"""Files of a training run, written so that a kill at any moment leaves the earlier file or the new one, never half of one."""

import json
from pathlib import Path
from typing import Any

import torch


def save(content: Any, path: Path) -> None:
    """Write what torch can save to `path`: first beside it, then in its place, which is atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save(content, part)
    part.replace(path)


def trim_log(path: Path, step: int) -> None:
    """Leave the lines of a JSON log up to `step`: those after it are made again, and a kill may have cut the last one short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            made = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError):
            continue
        if made <= step:
            kept.append(line + "\n")
    part = path.with_name(path.name + ".part")
    part.write_text("".join(kept), encoding="utf-8")
    part.replace(path)
