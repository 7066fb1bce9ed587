"""Asking before something is destroyed: `--yes`, or a person at a terminal who says so."""

from __future__ import annotations

import sys

import typer

from gpujob_cli.output import Output


def agreed(out: Output, question: str, *, yes: bool) -> bool:
    """Whether to go on. Without `--yes` and without a person to ask it is a usage error."""
    if yes:
        return True
    if out.silent or not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say so with --yes.")
    if typer.confirm(question, default=False, err=True):
        return True
    out.say("Nothing was changed.")
    return False
