"""`gpujob worker run`: starts the worker's own entry point with the same flags."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import NoReturn

from gpujob.errors import Configuration

PROGRAM = "gpujob-worker"


def run(args: list[str]) -> NoReturn:
    """Becomes the worker; its flags are its own, and `gpujob worker run --help` lists them."""
    found = list(entry_points(group="console_scripts", name=PROGRAM))
    if not found:
        raise Configuration(f"{PROGRAM} is not installed", hint="`pip install gpujob` installs it.")
    main = found[0].load()
    sys.argv = ["gpujob worker run", *args]
    main()
    sys.exit(0)
