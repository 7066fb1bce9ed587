"""The menu: `--help` imports nothing of ours that is heavy, and every entry leads to a command."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gpujob_cli.lazy import load
from gpujob_cli.menu import COMMANDS, GROUPS, SECTIONS, Entry

OURS_AT_HELP = {"gpujob_cli", "gpujob_cli.app", "gpujob_cli.lazy", "gpujob_cli.menu"}
EMPTY_TYPER = """
import sys, json, typer
app = typer.Typer(rich_markup_mode=None)
app.command("one")(lambda: None)
app.command("two")(lambda: None)
try:
    app(["--help"])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
OUR_HELP = """
import sys, json
from gpujob_cli.app import run
run(["--help"])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_imports_no_more_than_an_empty_typer_app_and_the_menu() -> None:
    assert modules_after(OUR_HELP) - modules_after(EMPTY_TYPER) <= OURS_AT_HELP | {"__future__"}


def entries() -> list[tuple[str, str, Entry]]:
    found = []
    for name, entry in COMMANDS.items():
        if isinstance(entry, Entry):
            found.append((name, name, entry))
        else:
            found += [(f"{name} {inner}", inner, leaf) for inner, leaf in entry.items()]
    return found


@pytest.mark.parametrize(("path", "name", "entry"), entries(), ids=[path for path, _, _ in entries()])
def test_every_entry_leads_to_a_command_whose_help_leads_with_an_example(path: str, name: str, entry: Entry) -> None:
    command = load(name, entry)
    if entry.raw:
        return
    help_ = command.help
    assert "Example" in help_ and f"gpujob {path}" in help_
    flags = {flag for option in command.params for flag in option.opts}
    assert {"--store", "--profile", "--json", "-q"} <= flags


def test_the_sections_name_every_command_once() -> None:
    named = [name for names in SECTIONS.values() for name in names]
    assert sorted(named) == sorted(COMMANDS)
    assert {name for name, entry in COMMANDS.items() if not isinstance(entry, Entry)} == set(GROUPS)
