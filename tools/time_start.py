"""Times what README promises: from a fresh clone to a usable page, and the second start.

`python -m tools.time_start` clones the committed tree into a temporary folder, runs README's own start line there with an empty model cache
and no pip cache, and starts once more; minutes, since every package and the model are downloaded. `--json FILE` keeps the times.
Linux and macOS (the line is a shell's).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.serving import ROOT, free_port

LIMIT = 1800  # seconds until a start counts as failed
FACTS = [["Halden Workshop", "director", "Ingrid Solvang"]]
QUESTION = "Who runs the Halden Workshop?"


def start_line(readme: str) -> str:
    """The line of README that sets up and starts the page. Raises ValueError where there is none."""
    found = re.search(r"^    (python3 -m venv .*&& (\S+ app\.py))$", readme, re.MULTILINE)
    if found is None:
        raise ValueError("README.md has no line that sets up and starts app.py.")
    return found[1]


def again(line: str) -> str:
    """What is typed at the second start: the line's last command."""
    return line.rsplit("&& ", 1)[1]


def time_start(line: str, folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    """Run `line` in `folder` until the page is up and has answered; seconds from the start: page_s, answer_s. The server is stopped.

    Raises RuntimeError with the end of what the line printed where it ends, or takes longer than LIMIT.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder / "start.log"
    started = time.monotonic()
    with log.open("w") as stream:
        server = subprocess.Popen(
            line,
            shell=True,
            cwd=folder,
            env={**environment, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that the shell's child ends with it
        )
        try:
            while not _is_up(address):
                if server.poll() is not None or time.monotonic() - started > LIMIT:
                    raise RuntimeError(f"The page did not come up:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
            page = time.monotonic() - started
            _ask(address)
            return {"page_s": round(page, 1), "answer_s": round(time.monotonic() - started, 1)}
        finally:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _ask(address: str) -> None:
    """One question over the page's own API, which waits for the model. Raises RuntimeError where the answer is not the fact's."""
    from gradio_client import Client

    answer = Client(address, verbose=False).predict(QUESTION, FACTS, "kblam", api_name="/ask")
    if FACTS[0][2] not in answer["answer"]:
        raise RuntimeError(f"The page answered: {answer['answer']}")


def main() -> None:
    """Print both starts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", type=Path, help="write the times to this file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        line = start_line((clone / "README.md").read_text(encoding="utf-8"))
        environment = {**os.environ, "KBLAM_CACHE": str(Path(place) / "cache"), "PIP_NO_CACHE_DIR": "1"}
        times = {}
        for name, typed in (("fresh clone", line), ("second start", again(line))):
            times[name] = time_start(typed, clone, environment)
            print(f"{name}: page after {times[name]['page_s']:.0f} s, first answer after {times[name]['answer_s']:.0f} s", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps({"line": line, **times}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
