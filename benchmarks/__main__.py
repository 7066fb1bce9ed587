"""`python -m benchmarks`, also `make bench`: measures, prints a table for each store, and writes it as JSON.

Invariant: speed is reported as ratios within one run, and nothing here passes or fails by a figure.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .figures import LeftOut, Report
from .measures import NAMES as MEASUREMENTS
from .places import NAMES as STORES
from .printing import new_console, show
from .running import run
from .sizes import FULL, QUICK

OUT = Path(__file__).with_name("out")


def main(args: Sequence[str] | None = None) -> int:
    """Runs the benchmarks; 1 where a store that was asked for by name is not there."""
    chosen = _parser().parse_args(args)
    console = new_console()
    missing = 0
    for store in chosen.store or STORES:
        try:
            report = run(store, chosen.only or MEASUREMENTS, QUICK if chosen.quick else FULL, _say)
        except LeftOut as error:
            console.print(f"left out: {store}: {error}", highlight=False)
            missing += bool(chosen.store)
            continue
        show(report, console)
        console.print(f"written to {_write(report, chosen.out)}", highlight=False)
    return 1 if missing else 0


def _write(report: Report, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.store}.json"
    path.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    return path


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run: every path, figures that mean little")
    parser.add_argument("--only", type=_some_of(MEASUREMENTS), help=f"some of {','.join(MEASUREMENTS)}")
    parser.add_argument(
        "--store", type=_some_of(STORES), help=f"some of {','.join(STORES)}; by default all that are here"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="where the JSON goes (default: benchmarks/out)")
    return parser


def _some_of(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads a list with commas of which each word is known."""

    def read(text: str) -> tuple[str, ...]:
        words = tuple(word.strip() for word in text.split(",") if word.strip())
        unknown = [word for word in words if word not in known]
        if unknown or not words:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(known)}")
        return words

    return read


if __name__ == "__main__":
    sys.exit(main())
