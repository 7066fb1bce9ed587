"""What the parts of the job store's contract share: a clock that a test moves, and a queue on any bucket.

Invariant: no test waits. `TimeMachine` makes what lies in a bucket older, and `ManualRuntime` moves the steady clock with
it, so leases run out on a real server as quickly as in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from gpujob.buckets.base import PAGE, Bucket, Found, Head, Listing
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.poll import Poller
from gpujob.protocol.results import ended
from gpujob.records import EndState, JobError, Manifest, QueueConfig
from gpujob.store import JobStore

T = TypeVar("T")
TTL_S = 30.0


@dataclass
class Shift:
    """How far a store's clock has been moved on, and how far it had been when each key was written last."""

    ahead_s: float = 0.0
    written: dict[str, float] = field(default_factory=dict)


class TimeMachine(WrappedBucket):
    """A bucket whose clock can be moved on. All writes have to go through it, or through a copy of it."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)
        self._shift = Shift()

    def advance(self, seconds: float) -> None:
        """The store's clock, as seen through here, is `seconds` later."""
        self._shift.ahead_s += seconds

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        answer = call()
        if verb in ("create", "replace", "upload"):
            self._shift.written[key] = self._shift.ahead_s
        return answer

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        found = super().get(key, max_bytes=max_bytes)
        return None if found is None else self._moved(key, found)

    def head(self, key: str) -> Head | None:
        head = super().head(key)
        return None if head is None else self._moved(key, head)

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        found = super().list(prefix, after=after, limit=limit)
        entries = tuple(
            replace(entry, last_modified=entry.last_modified + self._shift.written.get(entry.key, 0.0))
            for entry in found.entries
        )
        return Listing(entries, found.truncated, found.date + self._shift.ahead_s)

    def _moved(self, key: str, head: T) -> T:
        assert isinstance(head, Head)
        later_s = self._shift.written.get(key, 0.0)
        return replace(head, last_modified=head.last_modified + later_s, date=head.date + self._shift.ahead_s)


class ManualEvent:
    """An event; waiting for it moves the clock."""

    def __init__(self, runtime: ManualRuntime) -> None:
        self._runtime = runtime
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout_s: float | None = None) -> bool:
        if not self._set and timeout_s is not None:
            self._runtime.sleep(timeout_s)
        return self._set


class Parked:
    """A task that is not run: a test beats by hand."""

    def join(self, timeout_s: float | None = None) -> None:
        return None

    def is_alive(self) -> bool:
        return False


class ManualRuntime:
    """A runtime for one thread: sleeping moves the clock, and nothing runs beside the test."""

    def __init__(self, bucket: TimeMachine) -> None:
        self._bucket = bucket
        self._elapsed_s = 0.0
        self._started_s = SYSTEM.now()

    def now(self) -> float:
        return self._started_s + self._elapsed_s

    def elapsed(self) -> float:
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        self._elapsed_s += seconds
        self._bucket.advance(seconds)

    def event(self) -> ManualEvent:
        return ManualEvent(self)

    def lock(self) -> threading.Lock:
        return threading.Lock()

    def spawn(self, name: str, target: Callable[[], None]) -> Parked:
        return Parked()


class StoreSetting:
    """Fixtures and short words of the contract. A subclass provides `bucket`; the numbers may be cut for a slow store."""

    backlog: int = 3000
    """Jobs that the worker cannot serve, in front of one that it can."""
    many_pending: int = 100_000
    """Pending jobs that must not make a claim dearer; 0 leaves that test out."""
    claimers: int = 16
    """Threads that claim at once."""
    claimed_jobs: int = 200
    """Jobs that they share."""

    @pytest.fixture
    def bucket(self) -> Bucket:
        raise NotImplementedError("a subclass of StoreContract provides the fixture `bucket`, empty for each test")

    @pytest.fixture
    def machine(self, bucket: Bucket) -> TimeMachine:
        return TimeMachine(bucket)

    @pytest.fixture
    def clock(self, machine: TimeMachine) -> ManualRuntime:
        return ManualRuntime(machine)

    @pytest.fixture
    def store(self, machine: TimeMachine, clock: ManualRuntime) -> JobStore:
        config = QueueConfig(ttl_s=TTL_S, beat_s=10.0)
        return JobStore(machine, config=config, runtime=clock, rng=Random(20), patience_s=10.0)


def echo(message: str = "hello", **more: object) -> dict[str, object]:
    """A spec."""
    return {"kind": "echo", "input": {"message": message}, **more}


def poller(store: JobStore, worker: str = "w", kinds: tuple[str, ...] = ("echo",)) -> Poller:
    """What finds jobs for a worker that serves `kinds`."""
    return store.poller(worker, serves_kind=kinds.__contains__, serves=_any)


def claim(store: JobStore, worker: str = "w") -> HeldLease:
    """A job that can be had now."""
    held = poller(store, worker).next()
    assert held is not None, "there was a job to claim"
    return held


def nothing(store: JobStore, worker: str = "other") -> None:
    """Asserts that a fresh worker finds nothing to run now."""
    assert poller(store, worker).next() is None


def finish(held: HeldLease, state: EndState = "succeeded", error: JobError | None = None) -> bool:
    """Ends a held job; whether this result is the one that stands."""
    return settle(held, ended(held.record, state, error=error, now=held.ctx.store_now()))


def _any(manifest: Manifest) -> bool:
    return True
