"""python -m kblam_core: the commands, and the one place where errors become one line on stderr and exit code 2."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from kblam_core.commands.ask import ask, encode
from kblam_core.commands.bench import bench
from kblam_core.commands.evaluate import evaluate, report
from kblam_core.commands.import_official import import_official
from kblam_core.commands.info import info
from kblam_core.commands.push import push
from kblam_core.commands.train import train
from kblam_core.errors import KblamError

PROGRAM = "python -m kblam_core"
_OVERVIEW = f"""Ask a frozen language model about a table of facts that lives in its attention.

A table has the columns entity, property and value (.csv, .tsv, .json, .jsonl or .xlsx):

\b
  entity,property,value
  Halden Workshop,director,Mara Lund

\b
Start here:
  {PROGRAM} ask --kb facts.csv "Who runs the Halden Workshop?"
  {PROGRAM} evaluate --kb facts.csv --questions questions.jsonl --json out.json
  {PROGRAM} COMMAND --help     more examples for each command

Exit code 0 when it worked, 2 with one line on stderr when it did not.
"""

app = typer.Typer(
    help=_OVERVIEW,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for command in (ask, evaluate, report, encode, train, info, bench, import_official, push):
    app.command()(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = app(arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KblamError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _fail("Stopped.", code=130)
    except BrokenPipeError:  # `... | head` closed our stdout; say nothing more to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if hasattr(error, "format_message"):  # a wrong option or a missing argument
            message = str(error.format_message()).rstrip(".")
            return _fail(f"{message}. See: {_help_for(arguments)}")
        if os.environ.get("KBLAM_TRACEBACK"):
            raise
        kind = type(error).__name__
        return _fail(f"This is a bug in kblam_core ({kind}: {error}). Run again with KBLAM_TRACEBACK=1 to see where.")


def _help_for(arguments: Sequence[str]) -> str:
    names = {info.callback.__name__.replace("_", "-") for info in app.registered_commands if info.callback}
    name = next((argument for argument in arguments if argument in names), None)
    return f"{PROGRAM} {name} --help" if name else f"{PROGRAM} --help"


def _fail(message: str, *, code: int = 2) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return code
