"""`gpujob`, the program: runs a command and turns whatever happens into an exit code.

Invariant: a person never sees a traceback for something they can mend. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gpujob_cli.lazy import HELP_OPTIONS, Interrupted, Root

HELP = """A GPU job queue whose only server is a bucket.

\b
Example:
  gpujob tts "Hello from a bucket."
  gpujob submit tour.json --wait -o out/

Without GPUJOB_STORE or --store, the queue is a folder on this machine.
"""

BROKEN_PIPE = 141
INTERRUPTED = 130

_USAGE_ERROR: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def main() -> NoReturn:
    """The console script."""
    _prepare_streams()
    sys.exit(run(sys.argv[1:]))


def _prepare_streams() -> None:
    """Every standard stream is there, and both that are written to take any letter, if need be as its escape."""
    sys.stdin = sys.stdin or _nowhere("r")
    sys.stdout = sys.stdout or _nowhere("w")
    sys.stderr = sys.stderr or _nowhere("w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere(mode: str) -> Any:
    return Path(os.devnull).open(mode, encoding="utf-8")


def run(args: Sequence[str]) -> int:
    """Runs one command line; returns its exit code."""
    try:
        return _outcome(args)
    except BrokenPipeError:
        return _unread()


def _outcome(args: Sequence[str]) -> int:
    """The exit code of one command line, once all that there is to say has been said. Raises BrokenPipeError."""
    try:
        code = _program()(args=list(args), prog_name="gpujob", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, Interrupted, typer.Abort):
        return _interrupted(json="--json" in args)
    except _USAGE_ERROR as error:
        return _usage(error, json="--json" in args)
    except SystemExit as exit_:
        if isinstance(exit_.__context__, BrokenPipeError):  # Typer makes a 1 of it
            raise exit_.__context__ from None
        return exit_.code if isinstance(exit_.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last resort: whatever it is ends as a sentence
        from gpujob_cli.errors import report

        return report(error, json="--json" in args)


def _program() -> Any:
    program = typer.Typer(
        cls=Root, help=HELP, add_completion=True, rich_markup_mode=None, context_settings=HELP_OPTIONS
    )
    program.callback(invoke_without_command=True)(_root)
    return typer.main.get_command(program)


def _root(
    ctx: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"gpujob {version_of('gpujob')}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _unread() -> int:
    """Nobody reads any more: what the interpreter flushes at its end goes nowhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                os.dup2(nowhere.fileno(), stream.fileno())
    return BROKEN_PIPE


def _interrupted(*, json: bool) -> int:
    """Ctrl-C, where the command itself has not said what it means."""
    from gpujob_cli.errors import Report, print_report

    print_report(Report("Interrupted", INTERRUPTED, "interrupted by Ctrl-C", label=""), json=json)
    return INTERRUPTED


def _usage(error: Any, *, json: bool) -> int:
    """What is wrong with the command line itself, and where to look."""
    path = error.ctx.command_path if getattr(error, "ctx", None) is not None else "gpujob"
    hint = f"`{path} --help` shows how."
    if json:
        from gpujob_cli.errors import Report, print_report

        print_report(Report("Usage", 2, error.format_message(), hint), json=True)
    else:
        sys.stderr.write(f"error: {error.format_message()}\n  {hint}\n")
    return 2
