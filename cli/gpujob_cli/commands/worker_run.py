"""`gpujob worker run` and `setup-gpu`: start the worker package's own programs with the same flags."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from itertools import pairwise
from typing import NoReturn

from gpujob.errors import Configuration

PROGRAM = "gpujob-worker"
SETUP_GPU = "gpujob_worker.setup_gpu"
LAST = "@last"


def run(args: list[str]) -> NoReturn:
    """Becomes the worker; its flags are its own, and `gpujob worker run --help` lists them."""
    found = list(entry_points(group="console_scripts", name=PROGRAM))
    if not found:
        raise Configuration(f"{PROGRAM} is not installed", hint="`pip install gpujob` installs it.")
    sys.argv = ["gpujob worker run", *_without_last(args)]
    main = found[0].load()
    main()
    sys.exit(0)


def _without_last(args: list[str]) -> list[str]:
    """The arguments with the job's id in place of `@last`, which the worker's own program does not know."""
    if LAST not in args and f"--job={LAST}" not in args:
        return args
    from gpujob_cli.session import Session

    last = Session(store=_value(args, "--store"), profile=_value(args, "--profile")).job_id(LAST)
    said = {LAST: last, f"--job={LAST}": f"--job={last}"}
    return [said.get(argument, argument) for argument in args]


def _value(args: list[str], flag: str) -> str | None:
    """What a flag says, as `--flag VALUE` or `--flag=VALUE`; the last one where it is repeated."""
    apart = [value for name, value in pairwise(args) if name == flag]
    joined = [argument.removeprefix(f"{flag}=") for argument in args if argument.startswith(f"{flag}=")]
    return next(reversed(apart + joined), None)


def setup_gpu(args: list[str]) -> NoReturn:
    """Runs the worker package's program that brings the right onnxruntime; in a process of its own, as pip is."""
    sys.exit(subprocess.run([sys.executable, "-m", SETUP_GPU, *args], check=False).returncode)
