"""Measuring durations, and raw and gpujob in turn.

Invariant: whatever disturbs the machine meanwhile disturbs both sides alike, since their rounds alternate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from typing import TypeVar

from gpujob.clock import SYSTEM

T = TypeVar("T")


def seconds(work: Callable[[], object]) -> float:
    """How long `work()` takes."""
    started_s = SYSTEM.elapsed()
    work()
    return SYSTEM.elapsed() - started_s


def seconds_for_each(work: Callable[[T], object], things: Iterable[T]) -> float:
    """How long `work` takes for all of the things, one after the other."""
    started_s = SYSTEM.elapsed()
    for thing in things:
        work(thing)
    return SYSTEM.elapsed() - started_s


def cpu_seconds() -> float:
    """What this process has used of the processor so far, all threads together. A busy machine hardly changes it."""
    return time.process_time()


def in_turn(rounds: int, *works: Callable[[int], object]) -> list[list[float]]:
    """The seconds of each work in each round, all works of a round one after the other; called with the round's number."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        for work, durations in zip(works, found, strict=True):
            durations.append(seconds(partial(work, number)))
    return found


def median_ms(durations: list[float]) -> float:
    """The median in milliseconds."""
    return median(durations) * 1000


def rate(count: int, durations: list[float]) -> float:
    """How many a second, when `count` of them take the median of `durations`."""
    return count / median(durations)
