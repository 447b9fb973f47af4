"""Starts the page: `python app.py`, or a Hugging Face Space. Only a launcher; the page is app/, the model kblam_core/."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys

with contextlib.suppress(ImportError):  # on a ZeroGPU Space this must come before torch
    import spaces  # noqa: F401

from app.build import build_app, launch_options
from app.host import ModelHost


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Start the KBLaM Playground in the browser.")
    parser.add_argument("--host", default=None, help="address to listen on; 0.0.0.0 for every network (default: this machine)")
    parser.add_argument("--port", type=int, default=None, help="port to listen on (default: the first free one from 7860)")
    parser.add_argument("--backbone", default="smollm2-135m", help="language model to use (default: %(default)s)")
    parser.add_argument("--adapter", default=None, help="trained adapter: a folder or owner/name on the Hub (default: the shipped one)")
    return parser.parse_args()


def model_host(backbone: str, adapter: str | None) -> ModelHost:
    def load():
        from kblam_core import Kblam  # late: it brings torch, and the page should be up before

        return Kblam.load(backbone, adapter=adapter)

    return ModelHost(load)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    chosen = options()
    host = model_host(chosen.backbone, chosen.adapter)
    host.start()
    try:
        build_app(host).launch(server_name=chosen.host, server_port=chosen.port, **launch_options(host))
    except OSError as error:  # gradio's word for a port in use
        print(f"The page could not start: {str(error).splitlines()[0]} Choose another --port, or leave it out.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
