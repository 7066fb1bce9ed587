"""Races with a barrier: all contenders of a round start at the same moment.

Invariant: nothing is swallowed. A contender either gets a version (it won), None (it lost) or its error ends the race.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from gpujob.errors import Busy, PreconditionFailed

T = TypeVar("T")

RESENDS = 200
PATIENCE_S = 120.0


def race(racers: int, rounds: int, act: Callable[[int, int], T]) -> list[list[T]]:
    """Calls `act(round, racer)` in one thread per racer, each round from a barrier. Returns `[round][racer]`."""
    barrier = threading.Barrier(racers)

    def run(racer: int) -> list[T]:
        results = []
        try:
            for number in range(rounds):
                barrier.wait(PATIENCE_S)
                results.append(act(number, racer))
        except BaseException:
            barrier.abort()
            raise
        return results

    with _quick_switches(), ThreadPoolExecutor(racers) as pool:
        by_racer = _results([pool.submit(run, racer).result for racer in range(racers)])
    return [list(results) for results in zip(*by_racer, strict=True)]


def decided(write: Callable[[], str]) -> str | None:
    """The new version if the conditional write won, None if it lost. `Busy` decides nothing: it is sent again."""
    for _ in range(RESENDS):
        try:
            return write()
        except PreconditionFailed:
            return None
        except Busy:
            continue
    raise AssertionError(f"a conditional write was answered Busy {RESENDS} times in a row")


def settled(call: Callable[[], None]) -> None:
    """Makes a call that may be repeated, again and again while it is put off."""
    for _ in range(RESENDS):
        try:
            return call()
        except Busy:
            continue
    raise AssertionError(f"a request was answered Busy {RESENDS} times in a row")


def _results(waits: list[Callable[[], T]]) -> list[T]:
    """All results; of several errors, one that is not the mere echo of another's."""
    results, errors = [], []
    for wait in waits:
        try:
            results.append(wait())
        except BaseException as error:  # noqa: BLE001 - all of them are looked at below
            errors.append(error)
    errors.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))
    if errors:
        raise errors[0]
    return results


@contextmanager
def _quick_switches() -> Iterator[None]:
    """Lets Python change threads far more often than usual, which finds more races."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
