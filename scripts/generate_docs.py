"""Writes the parts of the docs that follow from the code: `make docs`.

A page marks such a part with two comments, `<!-- generated: NAME -->` and `<!-- end -->`; what stands between them is
replaced. Invariant: nothing outside the marks is touched, and the same code gives the same text on every machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from gpujob import settings, states
from gpujob.specs import docs_table
from gpujob_cli import app, errors, menu

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples" / "specs" / "valid"
COLUMNS = "100"

MARKED = re.compile(r"(?P<open><!-- generated: (?P<name>.+?) -->\n).*?(?P<close><!-- end -->)", re.DOTALL)

EXIT_CODES = {
    "OK": "All jobs succeeded, or the command did what it says.",
    "BUG": "A bug in gpujob; the traceback is in the file that the message names.",
    "USAGE": "The command line or a spec is wrong; nothing was submitted.",
    "CONFIGURATION": "Settings, credentials or the store do not do.",
    "UNREACHABLE": "The store did not answer, also after retries.",
    "CONFLICT": "Something else stands where this was to go: another spec under the key, another file, another limit.",
    "DISK": "This machine's disk is full or not writable.",
    "FAILED": "A job failed.",
    "UNFINISHED": "The job has not ended (`get`, `show --exit-code`).",
    "NOT_FOUND": "No such job, model or worker.",
    "CANCELLED": "A job was cancelled.",
    "EXPIRED": "A job was not done within its ttl.",
    "NO_WORKER": "No live worker within `--worker-timeout`.",
    "CHECKSUM": "A file is not the one that the result names.",
    "TIMED_OUT": "`wait --timeout` ran out; the job goes on.",
    "INTERRUPTED": "Ctrl-C; the job goes on.",
    "BROKEN_PIPE": "Whoever read the output left first, as with `| head`.",
}

SETTINGS = {
    "store": "The queue: `s3://bucket/prefix`, `file:///path` or a folder.",
    "worker_id": "The first part of a worker's id; the host's name if left out.",
    "secrets": "Environment variables that this machine's worker may hand to jobs.",
    "models_dir": "The folder of the models.",
    "offline": "Fetch no models.",
    "submitted_by": "How your jobs are signed; `user@host` if left out.",
    "max_pending": "Refuse to submit above so many waiting jobs.",
    "chat_preload": "Chat models to load at start.",
    "image_model": "The image model of jobs that name none.",
    "debug": "Print tracebacks.",
}


def main() -> int:
    """Renews every page; says which have changed."""
    for path in pages():
        before = path.read_text(encoding="utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"renewed {path.relative_to(ROOT)}")
    return 0


def pages() -> list[Path]:
    """The pages that may have generated parts."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def renewed(text: str) -> str:
    """The page with its generated parts as they are now."""
    return MARKED.sub(lambda found: f"{found['open']}{part(found['name'])}\n{found['close']}", text)


def part(name: str) -> str:
    """The generated part of that name; a KeyError where there is none."""
    topic, _, argument = name.partition(" ")
    return PARTS[topic](argument).strip("\n")


def state_diagram(_: str) -> str:
    """The life of a job."""
    return f"```mermaid\n{states.mermaid()}\n```"


def spec_table(kind: str) -> str:
    """The fields of a kind's input, or those of every spec."""
    return docs_table(None if kind == "envelope" else kind)


def example(name: str) -> str:
    """A spec of examples/specs/valid."""
    path = EXAMPLES / name
    return f"```{path.suffix[1:]}\n{path.read_text(encoding='utf-8').strip()}\n```"


def commands(_: str) -> str:
    """Every command's help, in the order of the menu."""
    parts = (part for title, names in menu.SECTIONS.items() for part in (f"### {title}", *_helps(names)))
    return "\n\n".join(parts)


def _helps(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        entry = menu.COMMANDS[name]
        for path in [(name, inner) for inner in entry] if isinstance(entry, dict) else [(name,)]:
            yield f"#### gpujob {' '.join(path)}\n\n```text\n{help_of(*path)}\n```"


def help_of(*command: str) -> str:
    """What `gpujob COMMAND --help` prints on a terminal of fixed width."""
    printed = io.StringIO()
    plain = {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    with mock.patch.dict(os.environ, plain), mock.patch.object(sys, "argv", ["gpujob"]):
        with contextlib.redirect_stdout(printed):
            code = app.run([*command, "--help"])
    if code != 0:
        raise RuntimeError(f"gpujob {' '.join(command)} --help ended with {code}")
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


def exit_codes(_: str) -> str:
    """The codes with what they mean, the errors that end so, and what to do next."""
    rows = ["| code | meaning | errors | next |", "|---|---|---|---|"]
    for name, code in sorted(_codes().items(), key=lambda item: item[1]):
        found = [row for row in errors.TABLE if row.exit_code == code]
        names = ", ".join(f"`{row.error.__name__}`" for row in found)
        hints = " ".join(dict.fromkeys(row.hint for row in found if row.hint))
        rows.append(f"| {code} | {EXIT_CODES[name]} | {names} | {hints} |")
    return "\n".join(rows)


def _codes() -> dict[str, int]:
    constants = {name: value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    return {"OK": 0, **constants, "BROKEN_PIPE": app.BROKEN_PIPE}


def setting_table(_: str) -> str:
    """Each setting in a file and in the environment."""
    rows = ["| in a file | in the environment | meaning |", "|---|---|---|"]
    for name in settings.Settings.model_fields:
        rows.append(f"| `{name}` | `{settings.PREFIX}{name.upper()}` | {SETTINGS[name]} |")
    return "\n".join(rows)


def old_names(_: str) -> str:
    """Variables of earlier systems."""
    new = {old: f"`{settings.PREFIX}{name.upper()}`" for old, name in settings.OLD_NAMES.items()}
    rows = ["| old name | today |", "|---|---|", *(f"| `{old}` | {name} |" for old, name in new.items())]
    rows += [f"| `{old}` | no effect yet |" for old in settings.NOT_YET]
    return "\n".join(rows)


PARTS: dict[str, Callable[[str], Any]] = {
    "states": state_diagram,
    "spec": spec_table,
    "example": example,
    "commands": commands,
    "exit-codes": exit_codes,
    "settings": setting_table,
    "old-names": old_names,
}


if __name__ == "__main__":
    sys.exit(main())
