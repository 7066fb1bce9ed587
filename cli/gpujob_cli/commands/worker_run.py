"""`gpujob worker run` and `setup-gpu`: start the worker package's own programs with the same flags."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import NoReturn

from gpujob.errors import Configuration

PROGRAM = "gpujob-worker"
SETUP_GPU = "gpujob_worker.setup_gpu"


def run(args: list[str]) -> NoReturn:
    """Becomes the worker; its flags are its own, and `gpujob worker run --help` lists them."""
    found = list(entry_points(group="console_scripts", name=PROGRAM))
    if not found:
        raise Configuration(f"{PROGRAM} is not installed", hint="`pip install gpujob` installs it.")
    main = found[0].load()
    sys.argv = ["gpujob worker run", *args]
    main()
    sys.exit(0)


def setup_gpu(args: list[str]) -> NoReturn:
    """Runs the worker package's program that brings the right onnxruntime; in a process of its own, as pip is."""
    sys.exit(subprocess.run([sys.executable, "-m", SETUP_GPU, *args], check=False).returncode)
