"""Writes the parts of the docs that follow from the code: `make docs`.

A page marks such a part with two comments, `<!-- generated: NAME -->` and `<!-- end -->`; what stands between them is
replaced. Invariant: nothing outside the marks is touched, and the same code gives the same text on every machine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from gpujob import settings, states
from gpujob.errors import GpujobError
from gpujob.policies import roles
from gpujob.specs import docs_table
from gpujob_cli import app, errors, lazy, menu
from gpujob_worker.main import app as worker_program
from gpujob_worker.setup_gpu import app as setup_gpu_program

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples" / "specs" / "valid"
NOT_SHOWN = (*lazy.SHARED, "help")
OF_THE_WORKER = {"worker_run:run": worker_program, "worker_run:setup_gpu": setup_gpu_program}

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
    "CHECKSUM": "A file is not the one that the result names, or a result is not signed by a key that is trusted.",
    "TIMED_OUT": "`wait --timeout` ran out; the job goes on.",
    "INTERRUPTED": "Ctrl-C; the job goes on.",
    "BROKEN_PIPE": "Whoever read the output left first, as with `| head`.",
}

SETTINGS = {
    "store": "The queue: `s3://bucket/prefix`, `file:///path` or a folder.",
    "worker_id": "The first part of a worker's id; the host's name if left out.",
    "allow_secrets": "Environment variables that this machine's worker may hand to jobs that name them; none by default.",
    "allow_models": "Models that jobs may make this machine's worker fetch, beside its own defaults; `owner/*` is a pattern.",
    "model_cache": "Keep models in the bucket, for fresh machines; by default unless the store charges for reading.",
    "sign_with": "The key that signs what is submitted or finished here: a pair's name, or the path of a private key.",
    "trust_submitters": "Public keys, or files of them: a worker runs only what one of these signed.",
    "trust_workers": "Public keys, or files of them: only results and cached steps that one of these signed are used.",
    "submitted_by": "The name that your jobs carry; `user@host` if left out.",
    "max_pending": "Refuse to submit above so many waiting jobs.",
    "chat_preload": "Chat models to fetch and load at start; jobs may name them too.",
    "image_model": "The image model of jobs that name none: a name of the hub, or a folder of the worker's machine.",
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
    """Every command, in the order of the menu. Taken from the commands themselves, as their --help is."""
    parts = (part for title, names in menu.SECTIONS.items() for part in (f"### {title}", *_described(names)))
    return "\n\n".join(parts)


def every_command() -> dict[str, Any]:
    """Every command by its words, such as `worker ls`; `worker run` and `worker setup-gpu` are the worker's own."""
    found: dict[str, Any] = {}
    for name, entry in menu.COMMANDS.items():
        for words, inner in _flat(name, entry):
            own = OF_THE_WORKER.get(inner.where)
            found[words] = typer.main.get_command(own) if own else lazy.load(words.split()[-1], inner)
    return found


def _flat(name: str, entry: menu.Entry | dict[str, menu.Entry]) -> list[tuple[str, menu.Entry]]:
    if isinstance(entry, menu.Entry):
        return [(name, entry)]
    return [(f"{name} {word}", inner) for word, inner in entry.items()]


def _described(names: tuple[str, ...]) -> Iterator[str]:
    known = every_command()
    for name in names:
        for words, _ in _flat(name, menu.COMMANDS[name]):
            yield describe(words, known[words])


def describe(words: str, command: Any) -> str:
    """One command: how it is called, what it says of itself, its options but for those that all have."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name not in NOT_SHOWN]
    called = " ".join(["gpujob", words, *map(_called, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [f"| `{_called(one)}` | {_cell(one.help)} |" for one in arguments if one.help]
    rows += [f"| {_names(one)} | {_cell(one.help)} |" for one in options]
    table = ["\n".join(["| | |", "|---|---|", *rows])] if rows else []
    return "\n\n".join([f"#### gpujob {words}", f"`{called}`", *_paragraphs(command), *table])


def _paragraphs(command: Any) -> Iterator[str]:
    for paragraph in [*(command.help or "").split("\n\n"), command.epilog or ""]:
        text = paragraph.strip().removeprefix("\b").strip()
        if text.startswith("Example:"):
            lines = text.removeprefix("Example:").strip().splitlines()
            yield "```sh\n" + "\n".join(line.strip() for line in lines) + "\n```"
        elif text:
            yield " ".join(text.split())


def _called(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).removesuffix("...")
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {_cell(option.metavar or option.name.upper())}"


def _cell(text: str) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;")


def exit_codes(_: str) -> str:
    """The codes with what they mean."""
    known = sorted(_codes().items(), key=lambda item: item[1])
    return "\n".join(["| code | meaning |", "|---|---|", *(f"| {code} | {EXIT_CODES[name]} |" for name, code in known)])


def error_table(_: str) -> str:
    """The errors by name, as `--json` has them: what each means, its exit code, and the next step if it names none."""
    rows = ["| error | means | code | next |", "|---|---|---|---|"]
    for row in errors.TABLE:
        if issubclass(row.error, GpujobError):
            means = (row.error.__doc__ or "").partition("\n")[0]
            rows.append(f"| `{row.error.__name__}` | {_cell(means)} | {row.exit_code} | {_cell(row.hint)} |")
    return "\n".join(rows)


def _codes() -> dict[str, int]:
    constants = {name: value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    return {"OK": 0, **constants, "BROKEN_PIPE": app.BROKEN_PIPE}


def setting_table(_: str) -> str:
    """Each setting in a file and in the environment."""
    names = settings.Settings.model_fields
    rows = [f"| `{name}` | `{settings.PREFIX}{name.upper()}` | {SETTINGS[name]} |" for name in names]
    return "\n".join(["| in a file | in the environment | meaning |", "|---|---|---|", *rows])


def old_names(_: str) -> str:
    """Variables of earlier systems."""
    new = {old: f"`{settings.PREFIX}{name.upper()}`" for old, name in settings.OLD_NAMES.items()}
    rows = ["| old name | today |", "|---|---|", *(f"| `{old}` | {name} |" for old, name in new.items())]
    rows += [f"| `{old}` | no effect yet |" for old in settings.NOT_YET]
    return "\n".join(rows)


def role_names(_: str) -> str:
    """What each role is for."""
    rows = [f"| `{role}` | {about} |" for role, about in roles.ABOUT.items()]
    return "\n".join(["| role | does |", "|---|---|", *rows])


def role_table(_: str) -> str:
    """Who may do what below which part of a queue."""
    rows = [["below", *(f"`{role}`" for role in roles.ROLES)]]
    for folder in roles.FOLDERS:
        granted = [" ".join(verb for verb in roles.VERBS if roles.may(role, verb, folder)) for role in roles.ROLES]
        rows.append([f"`{folder}`", *(words if words != " ".join(roles.VERBS) else "all" for words in granted)])
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


PARTS: dict[str, Callable[[str], str]] = {
    "role-names": role_names,
    "roles": role_table,
    "states": state_diagram,
    "spec": spec_table,
    "example": example,
    "commands": commands,
    "errors": error_table,
    "exit-codes": exit_codes,
    "settings": setting_table,
    "old-names": old_names,
}


if __name__ == "__main__":
    sys.exit(main())
