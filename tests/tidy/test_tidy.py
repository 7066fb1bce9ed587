"""The house rules that no linter knows.

Invariant: a rule is held over every tracked file or module, and each exception stands here with its reason.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("jobstore/gpujob", "worker/gpujob_worker", "cli/gpujob_cli")
CODE = (*PACKAGES, "tests", "scripts", "localstack", "benchmarks", "examples")

MOST_LINES = 400
LONGER: dict[str, str] = {}  # path -> why it is better whole
LONGEST_FUNCTION = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools"}
# A home folder, a temporary folder's own name, or a checkout: right on one machine and wrong on every other.
ABSOLUTE = re.compile(r"(?<![\w.$}])/(?:home/\w|Users/\w|root/|work/|private/var/)")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git keeps or would keep, as paths from the root."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    answer = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(
        sorted(path for name in answer.split("\0") if name and (path := Path(name)) and (ROOT / path).is_file())
    )


def modules(*folders: str) -> list[Path]:
    """The Python files below these folders."""
    return [
        path for path in tracked() if path.suffix == ".py" and str(path).startswith(tuple(f"{f}/" for f in folders))
    ]


def text_files() -> list[tuple[Path, str]]:
    """Every tracked file that is text, with its text."""
    found = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            found.append((path, data.decode("utf-8")))
    return found


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def test_it_looks_at_something() -> None:
    assert len(modules(*PACKAGES)) > 50
    assert Path("README.md") in tracked()


def test_modules_are_short() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules(*CODE)}
    assert {path: n for path, n in lengths.items() if n > MOST_LINES and path not in LONGER} == {}


def test_exceptions_are_still_needed() -> None:
    assert [path for path in LONGER if len((ROOT / path).read_text().splitlines()) <= MOST_LINES] == []


def test_functions_are_short() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path in modules(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno > LONGEST_FUNCTION
    ]
    assert long == []


def test_no_module_has_a_vague_name() -> None:
    assert [str(path) for path in modules(*CODE) if {*path.parts[:-1], path.stem} & VAGUE] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path) for path in modules(*CODE) if (body := tree(path)).body and not ast.get_docstring(body)]
    assert silent == []


def test_nothing_is_left_unfinished() -> None:
    assert [str(path) for path, text in text_files() if UNFINISHED.search(text)] == []


def test_no_file_names_one_machine() -> None:
    found = [
        f"{path}:{number} {line.strip()[:80]}"
        for path, text in text_files()
        if str(path) not in {"tests/tidy/test_tidy.py", "localstack/compose.yaml"}  # the rule; paths in a container
        for number, line in enumerate(text.splitlines(), 1)
        if ABSOLUTE.search(line)
    ]
    assert found == []


def test_no_test_sleeps_to_wait() -> None:
    """Simulated time may sleep as it likes, whatever it is called; what counts is the sleep of the module `time`."""
    sleepers = [
        str(path)
        for path in modules("tests")
        if path != Path("tests/tidy/test_tidy.py")
        and (text := (ROOT / path).read_text())
        and (
            "from time import sleep" in text
            or ("time.sleep(" in text and re.search(r"^ *import time$", text, re.MULTILINE))
        )
    ]
    assert sleepers == []


def test_only_the_output_speaks() -> None:
    """Ruff bans print in the packages; writing to the streams by hand is the same thing under another name."""
    speakers = {
        str(path)
        for path in modules("jobstore/gpujob", "worker/gpujob_worker")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout", "sys.stderr"}
    }
    programs = {"main.py", "signals.py", "children/host.py"}  # of the worker: what a child writes is its job's log
    assert speakers <= {f"worker/gpujob_worker/{name}" for name in programs}


def test_every_file_ends_with_one_newline() -> None:
    binary = {".wav", ".png"}
    odd = [str(path) for path, text in text_files() if text and path.suffix not in binary and not text.endswith("\n")]
    assert odd == []
