"""A bucket that does as it is told for the next request of a kind, and a queue on it.

Invariant: an order is used up by the first request that it fits, and `left()` says which were never met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.errors import BucketError
from gpujob.records import QueueConfig
from gpujob.store import JobStore
from gpujob.testing.store_setting import ManualRuntime, TimeMachine

T = TypeVar("T")


@dataclass
class Order:
    """For the next `verb` of a key under `prefix`: do `before`, apply it or not, then raise `error` if there is one."""

    verb: str
    prefix: str
    error: BucketError | None = None
    applied: bool = False
    before: Callable[[], Any] | None = None
    times: int = 1


class ScriptedBucket(WrappedBucket):
    """Follows orders; everything else goes through."""

    def __init__(self, inner: MemoryBucket) -> None:
        super().__init__(inner)
        self.orders: list[Order] = []

    def left(self) -> list[Order]:
        return self.orders

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        for order in self.orders:
            if order.verb == verb and key.startswith(order.prefix):
                return self._obey(order, call)
        return call()

    def _obey(self, order: Order, call: Callable[[], T]) -> T:
        order.times -= 1
        if not order.times:
            self.orders.remove(order)
        if order.before is not None:
            order.before()
        if order.error is None:
            return call()
        if order.applied:
            call()
        raise order.error


@dataclass
class Scene:
    """A queue in memory with a clock to move and a bucket to give orders to."""

    script: ScriptedBucket
    machine: TimeMachine
    clock: ManualRuntime
    store: JobStore

    def order(self, verb: str, prefix: str, error: BucketError | None = None, **more: Any) -> None:
        self.script.orders.append(Order(verb, prefix, error, **more))


def scene(**config: Any) -> Scene:
    """A fresh one."""
    script = ScriptedBucket(MemoryBucket())
    machine = TimeMachine(script)
    clock = ManualRuntime(machine)
    store = JobStore(machine, config=QueueConfig(**config), runtime=clock, rng=Random(8), patience_s=10.0)
    return Scene(script, machine, clock, store)
