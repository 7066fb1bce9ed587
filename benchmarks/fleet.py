"""Work in several processes that begin at one moment.

Invariant: what a process does before `gate()` (imports, connections) is in nobody's figures, and none passes the gate
before all have reached it. The steady clock is the machine's own, so moments of different processes compare.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 300.0
_PRELOAD = [
    "boto3",
    "gpujob.buckets.s3",
    "gpujob.store",
    "gpujob.specs.schema",
    "gpujob_worker.worker",
    "benchmarks.sample",
]
_barrier: list[Barrier] = []


def together(count: int, work: Callable[..., T], *args: Any, env: Mapping[str, str]) -> list[T]:
    """What `work(number, *args)` returns in each of `count` fresh processes, which all run at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    begin = (context.Barrier(count), dict(env))
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=begin) as pool:
        return [each.result() for each in [pool.submit(work, number, *args) for number in range(count)]]


def gate() -> None:
    """Returns when all processes of this fleet have come here; may be passed several times."""
    _barrier[0].wait(PATIENCE_S)


def _begin(barrier: Barrier, env: dict[str, str]) -> None:
    os.environ.update(env)
    _barrier[:] = [barrier]
