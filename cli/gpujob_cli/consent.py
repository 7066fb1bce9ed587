"""Asking before something is destroyed: `--yes`, or a person at a terminal who says so."""

from __future__ import annotations

import sys
from typing import Any

import typer

from gpujob_cli.output import Output

UsageError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


def agreed(out: Output, question: str, *, yes: bool) -> bool:
    """Whether to go on. Without `--yes` and without a person to ask it is a usage error."""
    if yes:
        return True
    if out.silent or not sys.stdin.isatty():
        raise UsageError(f"{question} Say so with --yes.")
    if typer.confirm(question, default=False, err=True):
        return True
    out.say("Nothing was changed.")
    return False
