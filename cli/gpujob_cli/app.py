"""`gpujob`, the program: runs a command and turns whatever happens into an exit code.

Invariant: a person never sees a traceback for something they can mend. Nothing heavy is imported here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from gpujob_cli.lazy import HELP_OPTIONS, Root

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
    sys.exit(run(sys.argv[1:]))


def run(args: Sequence[str]) -> int:
    """Runs one command line; returns its exit code."""
    try:
        code = _program()(args=list(args), prog_name="gpujob", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - the interpreter flushes it at exit
        return BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except _USAGE_ERROR as error:
        return _usage(error, json="--json" in args)
    except SystemExit as exit_:
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
