"""How long the programs take to start: `gpujob --help`, and a worker that finds an empty folder queue and leaves.

Against an empty Typer program's --help, and against a Python that only imports the same libraries; the same
interpreter, in turn. It does not depend on the store, so it is taken with the folder store alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import LeftOut, Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import in_turn, median_ms

HELP = ("-c", "from gpujob_cli.app import main; main()", "--help")
EMPTY = ("-c", "import typer; app = typer.Typer(); app.command()(lambda: None); app()", "--help")
WORKER = ("-m", "gpujob_worker", "--once", "--kinds", "echo")
IMPORTS = ("-c", "import typer, pydantic")


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """One row for each program."""
    if place.name != "folder":
        raise LeftOut("the same on every store; see the folder store")
    with tempfile.TemporaryDirectory(prefix="gpujob-bench-home-") as home:
        here = {"HOME": home, "GPUJOB_STORE": place.queue("startup")}
        turns = in_turn(sizes.starts, *(_starter(words, here) for words in (EMPTY, HELP, IMPORTS, WORKER)))
    empty, shown, imports, worker = map(median_ms, turns)
    detail = f"median of {sizes.starts}"
    return [
        Row("gpujob --help", shown, "ms", "an empty Typer program's --help", empty, detail),
        Row("gpujob-worker --once, nothing to do", worker, "ms", "import typer, pydantic", imports, detail),
    ]


def _starter(words: tuple[str, ...], settings: dict[str, str]) -> Callable[[int], object]:
    def start(number: int) -> None:
        subprocess.run(
            [sys.executable, *words],
            check=True,
            capture_output=True,
            cwd=Path(settings["HOME"]),
            env={**os.environ, **settings},
        )

    return start
