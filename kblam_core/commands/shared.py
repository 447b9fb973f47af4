"""What the commands share: options of the same name and meaning, loading the model quietly, opening a table or an encoded base."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from kblam_core.errors import InputError
from kblam_core.triples import MAX_ROWS, Problem, Table, read_table

ENCODED = ".safetensors"
DEFAULT_BACKBONE = "smollm2-135m"
_SHOWN_PROBLEMS = 5

_BACKBONE = "Language model: a known name, a Hub id or a folder"
Backbone = Annotated[str, typer.Option(help=f"{_BACKBONE}.", show_default=True)]
AnyBackbone = Annotated[str | None, typer.Option("--backbone", help=f"{_BACKBONE}; by default the adapter's, or {DEFAULT_BACKBONE}.")]
Encoder = Annotated[str | None, typer.Option(help="Sentence encoder; by default the one the adapter was trained with.")]
Adapter = Annotated[str | None, typer.Option(help="Trained adapter: a folder or owner/name on the Hub; by default the shipped one.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16; auto is bfloat16 on a GPU, float32 elsewhere.")]
Quantize = Annotated[str | None, typer.Option(help="Load the weights in 4bit or 8bit (CUDA, with bitsandbytes).")]
Force = Annotated[bool, typer.Option("--force", help="Load the model even where memory looks short.")]
Yes = Annotated[bool, typer.Option("--yes", help="Send a large table to an encoder behind HTTP without asking.")]
MaxRows = Annotated[int, typer.Option(min=1, help="Use at most so many rows of a table.")]
TopK = Annotated[int | None, typer.Option(min=1, help="Shortlist: the model attends to so many nearest facts.")]
Threshold = Annotated[float | None, typer.Option(min=0, max=1, help="Refuse below this confidence (0 to 1).")]


def say(message: str) -> None:
    """One remark on stderr, so that stdout holds results only."""
    typer.echo(message, err=True)


@contextmanager
def working(message: str) -> Iterator[Any]:
    """A spinner on stderr while something slow happens; silent where stderr is no terminal. Yields an object with update(text)."""
    from rich.console import Console

    with Console(stderr=True).status(message) as status:
        yield status


def load_kblam(
    backbone: str | None,
    encoder: str | None,
    adapter: str | None,
    device: str,
    dtype: str = "auto",
    quantize: str | None = None,
    force: bool = False,
) -> Any:
    """Kblam.load without the libraries' own chatter. Raises KblamError."""
    import warnings

    with working("Loading the model"):
        warnings.filterwarnings("ignore")
        from transformers.utils import logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        from kblam_core.model import Kblam

        options = {"encoder": encoder, "adapter": adapter, "device": device, "dtype": dtype, "quantize": quantize, "force": force}
        kblam = Kblam.load(backbone, **options)
    if hasattr(kblam.encoder, "announce"):  # behind HTTP: what it is about to be sent is one line on stderr
        kblam.encoder.announce = lambda sending: say(f"note: {sending}")
    return kblam


@dataclass(frozen=True)
class Source:
    """A knowledge base named on the command line, checked before the slow model is loaded. table: None for an encoded base."""

    path: Path
    table: Table | None

    @property
    def name(self) -> str:
        return self.path.stem

    def open(self, kblam: Any, *, yes: bool = False) -> Any:
        """The KnowledgeBase, encoded now or read back. Raises KblamError.

        A large table for an encoder behind HTTP is sent only when the person at the terminal agrees; `yes`, or no terminal, is consent.
        """
        if self.table is not None:
            base = kblam.knowledge_base()
            sending = base.sending(self.table.triples)
            if sending is not None and not yes and asking():
                say(f"{sending} Go on? [y/N]")  # typer.confirm would write a space to stdout, which is for results
                if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
                    raise typer.Abort
                kblam.encoder.announce = lambda sending: None  # it was said
            with working(f"Encoding {len(self.table.triples):,} facts"):
                base.update(self.table.triples)
            return base
        from kblam_core.knowledge_base import KnowledgeBase

        return KnowledgeBase.load(self.path, kblam.encoder)


def find_source(path: Path, *, max_rows: int = MAX_ROWS) -> Source:
    """Read a table, or check that an encoded base is there; problems of the table go to stderr. Raises InputError."""
    if path.suffix.lower() == ENCODED:
        if not path.is_file():
            raise InputError(f"There is no encoded base at {path}. Write one with: encode --kb TABLE --out {path.name}")
        return Source(path, None)
    table = read_table(path, max_rows=max_rows)
    show_problems(path.name, table.problems)
    return Source(path, table)


def show_problems(name: str, problems: Sequence[Problem]) -> None:
    """The first few problems of a table on stderr, then how many more there are."""
    about_table = [problem for problem in problems if problem.row == 0]
    about_rows = [problem for problem in problems if problem.row]
    for problem in about_table:
        hint = " Use --max-rows to take more." if problem.kind == "too_many_rows" else ""
        say(f"note: {problem.message}{hint}")
    for problem in about_rows[:_SHOWN_PROBLEMS]:
        say(f"note: {name}: {problem.message}")
    if len(about_rows) > _SHOWN_PROBLEMS:
        say(f"note: {name}: {len(about_rows) - _SHOWN_PROBLEMS:,} more rows with remarks.")


def ask_options(mode: str, **given: Any) -> Any:
    """AskOptions with the options that were given; None means the default."""
    from kblam_core.answer import AskOptions

    return AskOptions(mode=mode, **{name: value for name, value in given.items() if value is not None})


def check_target(path: Path | None, *, what: str) -> None:
    """Complain about an output path before the work, not after it. Raises InputError."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"The {what} is to be written to {path}, but that is a folder. Name a file inside it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        existed = path.exists()
        with path.open("ab"):
            pass
        if not existed:
            path.unlink()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"The {what} cannot be written to {path}: {reason}. Name another file.") from None


def asking() -> bool:
    """Whether a person at a terminal can be asked something."""
    return sys.stdin.isatty() and sys.stderr.isatty()
