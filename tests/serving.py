"""Starts the page for a test: the real one as `python app.py`, or one with a stand-in model inside this process."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 90


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def real_app(log: Path) -> Iterator[str]:
    """`python app.py` on a free port with the default model; yields its address.

    More arguments for app.py come from KBLAM_APP_ARGS, for example "--adapter my-adapter".
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "app.py",
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                *shlex.split(os.environ.get("KBLAM_APP_ARGS", "")),
            ],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def app_with(load, **others) -> Iterator[str]:
    """The page over `load()` instead of the real model; yields its address. others: by name, more models to choose from."""
    from app.build import build_app, launch_options
    from app.host import ModelHost

    host = ModelHost(load, name="stand-in")
    host.start()
    blocks = build_app(host, *(ModelHost(other, name=name) for name, other in others.items()))
    try:
        _, address, _ = blocks.launch(
            server_name="127.0.0.1",
            server_port=free_port(),
            prevent_thread_lock=True,
            quiet=True,
            **launch_options(host),
        )
        yield address.rstrip("/")
    finally:
        blocks.close()


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended at once:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"app.py did not answer in {START_SECONDS} s:\n{log.read_text()[-2000:]}")
