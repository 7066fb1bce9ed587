"""One store's measurements, one after the other.

Invariant: a measurement that cannot be made is named with its reason, in the table and in the file; one that fails ends
the run, since a benchmark that goes on after a lost job says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gpujob.clock import SYSTEM

from . import machine
from .figures import LeftOut, Report
from .measures import measure_of
from .places import Place, opened
from .sizes import Sizes
from .stopwatch import seconds


def run(store: str, names: Sequence[str], sizes: Sizes, say: Callable[[str], object]) -> Report:
    """The report of the measurements `names` on `store`; `LeftOut` where the store itself cannot be had."""
    started_s = SYSTEM.elapsed()
    with opened(store) as place:
        report = Report(store, machine.describe(place.version), sizes.quick)
        for name in names:
            say(f"{store}: {name} ...")
            report.took_s[name] = seconds(partial(_measure, report, name, place, sizes))
    report.seconds = SYSTEM.elapsed() - started_s
    return report


def _measure(report: Report, name: str, place: Place, sizes: Sizes) -> None:
    try:
        report.rows[name] = measure_of(name)(place, sizes)
    except LeftOut as error:
        report.left_out[name] = str(error)
