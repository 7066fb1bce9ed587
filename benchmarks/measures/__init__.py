"""One module for each measurement, named in `NAMES`; its `measure(place, sizes)` returns the rows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes

NAMES = ("raw", "submit", "drain", "claim", "pickup", "requests", "idle", "startup", "speech")

Measure = Callable[[Place, Sizes], list[Row]]


def measure_of(name: str) -> Measure:
    """The measurement of that name."""
    found: Measure = import_module(f"benchmarks.measures.{name}").measure
    return found
