"""Starts the page: `python app.py`, or a Hugging Face Space. Only a launcher; the page is app/, the model kblam_core/."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys

with contextlib.suppress(ImportError):  # on a ZeroGPU Space this must come before torch
    import spaces  # noqa: F401

from app.build import build_app, launch_options
from app.models import find_choices, host_of
from kblam_core import KblamError


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Start the KBLaM Playground in the browser.")
    parser.add_argument("--host", default=None, help="address to listen on; 0.0.0.0 for every network (default: this machine)")
    parser.add_argument("--port", type=int, default=None, help="port to listen on (default: the first free one from 7860)")
    parser.add_argument("--backbone", default=None, help="language model to use (default: the adapter's, or smollm2-135m)")
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        help="trained adapter: a folder or owner/name on the Hub (default: the shipped one); of several the visitor chooses",
    )
    parser.add_argument("--adapters", default=None, metavar="FOLDER", help="offer every adapter in the folders of FOLDER, too")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default: bfloat16 on a GPU, else float32)")
    parser.add_argument("--quantize", default=None, help="load the weights in 4bit or 8bit (CUDA, with bitsandbytes)")
    parser.add_argument("--force", action="store_true", help="load a model even where memory looks short")
    return parser.parse_args()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    chosen = options()
    try:
        choices = find_choices(chosen.backbone, chosen.adapter, chosen.adapters)
    except KblamError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    hosts = [host_of(name, choice, dtype=chosen.dtype, quantize=chosen.quantize, force=chosen.force) for name, choice in choices.items()]
    hosts[0].start()
    try:
        build_app(*hosts).launch(server_name=chosen.host, server_port=chosen.port, **launch_options(hosts[0]))
    except OSError as error:  # gradio's word for a port in use
        print(f"The page could not start: {str(error).splitlines()[0]} Choose another --port, or leave it out.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
