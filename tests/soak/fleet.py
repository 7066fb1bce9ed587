"""A fleet of real workers on a bucket in memory, in simulated time: jobs come by the clock, workers die and others come.

Invariant: everything that decides is the code under test, on the clock of `tests.simulation`; a request takes some
milliseconds of it, so that requests of different workers fall between one another. A run follows from its plan alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, TypeVar

from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.ids import new_id
from gpujob.records import Manifest, QueueConfig, RetryPolicy
from gpujob.store import JobStore
from gpujob_worker.executor import Executor, JobContext, Outcome
from gpujob_worker.worker import Worker
from tests.simulation.runtime import SimRuntime
from tests.simulation.world import START_S, Party, Task, World

T = TypeVar("T")
CONFIG = QueueConfig(ttl_s=30.0, beat_s=10.0)
LATENCY_S = (0.01, 0.06)
REPLACED_AFTER_S = 60.0
QUARTER_S = 900.0


@dataclass(frozen=True)
class Plan:
    """How many of what. `load` is the share of the fleet's time that the jobs take; every hundredth moment is a burst."""

    workers: int = 100
    jobs: int = 20_000
    run_s: tuple[float, float] = (20.0, 100.0)
    load: float = 0.7
    burst: float = 0.3  # the share of jobs that come in bursts of `burst_jobs` at one moment
    burst_jobs: int = 50
    death: float = 0.02  # of an attempt's worker
    seed: int = 1

    @property
    def mean_s(self) -> float:
        """How long a job runs."""
        return sum(self.run_s) / 2

    @property
    def gap_s(self) -> float:
        """Between one arrival and the next, in the mean."""
        return self.mean_s / (self.workers * self.load)


class Ledger(MemoryBucket):
    """The one store; it keeps what was written under done/ and raises where that is written or deleted again."""

    def __init__(self, world: World) -> None:
        super().__init__(lambda: world.now_s, "memory://soak")
        self.results: dict[str, bytes] = {}
        self._world = world

    def create(self, key: str, body: bytes) -> str:
        version = super().create(key, body)
        if key.startswith("done/"):
            assert key not in self.results, f"{key} was written twice"
            self.results[key] = body
        return version

    def replace(self, key: str, body: bytes, version: str) -> str:
        assert not key.startswith("done/"), f"{key} was rewritten"
        return super().replace(key, body, version)

    def delete(self, key: str) -> None:
        assert not key.startswith("done/"), f"{key} was deleted"
        super().delete(key)


class Distant(WrappedBucket):
    """The store as one party sees it: each request takes its time."""

    def __init__(self, inner: MemoryBucket, runtime: SimRuntime, rng: Random) -> None:
        super().__init__(inner)
        self._runtime, self._rng = runtime, rng

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        self._runtime.sleep(self._rng.uniform(*LATENCY_S))
        return call()


@dataclass
class Counts:
    """What happened beside the requests."""

    runs: int = 0
    deaths: int = 0
    beats: float = 0.0
    worker_s: float = 0.0
    live: int = 0
    first_start_s: dict[str, float] = field(default_factory=dict)


class TimedExecutor(Executor):
    """Takes as long as the job says; now and then its worker dies, at some moment of the attempt or soon after."""

    kinds: ClassVar[tuple[str, ...]] = ("echo",)
    isolated: ClassVar[bool] = False

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def run(self, job: JobContext) -> Outcome:
        fleet, seconds = self._fleet, float(job.input["sleep"])
        fleet.begins(job.id, seconds)
        job._runtime.sleep(seconds)  # type: ignore[attr-defined]
        job.check()
        return Outcome({"message": job.input["message"]})


class Fleet:
    """One run. `run` returns when every job has ended and everything is cleaned up; `on_quarter` hears of each quarter
    of a simulated hour that has passed.
    """

    def __init__(self, plan: Plan, on_quarter: Callable[[str], None] = lambda text: None) -> None:
        self.plan = plan
        self._on_quarter = on_quarter
        self.rng = Random(plan.seed)
        self.world = World()
        self.store = Ledger(self.world)
        self.counts = Counts()
        self.submitted: dict[str, tuple[float, float]] = {}  # id -> when, for how long it runs
        self.bills: dict[str, CountingBucket] = {}
        self._executor = TimedExecutor(self)
        self._fate = Party("fate")
        self._buried: list[Party] = []
        self._numbers = iter(range(1, 1 << 30))

    def run(self, settle_s: float = 1300.0) -> None:
        for _ in range(self.plan.workers):
            self._hire()
        self._spawn(Party("submitter"), "main", self._submit)
        self._live(lambda: len(self.store.results) < self.plan.jobs)
        self.ended_s = self.world.now_s
        self._live(lambda: self.world.now_s < self.ended_s + settle_s)
        for party in list(self.world.parties):
            self._bury(party)
        self._end_tasks()

    def bill(self) -> Counter[str]:
        """All requests, by billed class."""
        return sum((bucket.billed() for bucket in self.bills.values()), Counter())

    # -- parties

    def _connect(self, party: Party, role: str) -> JobStore:
        own = Random(self.rng.getrandbits(64))
        runtime = SimRuntime(self.world, party)
        counting = self.bills.setdefault(role, CountingBucket(self.store))
        bucket = Distant(counting, runtime, own)  # type: ignore[arg-type]
        return JobStore(bucket, config=CONFIG, runtime=runtime, rng=own)

    def _hire(self) -> None:
        party = Party(f"w{next(self._numbers)}")
        store = self._connect(party, "workers")

        def live() -> None:
            Worker(store, [self._executor], worker_id=party.name).run()

        self.counts.live += 1
        party.thaw_at_s = self.world.now_s  # of no other use here: when it was hired
        self._spawn(party, "main", live)

    def _spawn(self, party: Party, name: str, target: Callable[[], Any]) -> Task:
        if party not in self.world.parties:
            self.world.parties.append(party)
        return self.world.spawn(party, name, target)

    def begins(self, job_id: str, seconds: float) -> None:
        """An attempt begins, in a worker that may not live to its end."""
        counts, task = self.counts, self.world.current
        assert task is not None
        counts.runs += 1
        counts.beats += seconds / CONFIG.beat_s
        counts.first_start_s.setdefault(job_id, self.world.now_s)
        party = task.party
        party.tasks[:] = [task for task in party.tasks if not task.ended]
        if self.rng.random() < self.plan.death:
            after_s = seconds * self.rng.uniform(0.0, 1.02)
            self._spawn(self._fate, "death", lambda: self._die(party, after_s))

    def _die(self, party: Party, after_s: float) -> None:
        self._sleep(after_s)
        if party.dead:
            return
        self.counts.deaths += 1
        self.counts.live -= 1
        self._bury(party)
        self._sleep(self.rng.uniform(0.5, 1.5) * REPLACED_AFTER_S)
        self._hire()

    def _bury(self, party: Party) -> None:
        """The party is no more."""
        if party.name.startswith("w"):
            self.counts.worker_s += self.world.now_s - party.thaw_at_s
        self.world.crash(party)
        self.world.parties.remove(party)
        self._buried.append(party)

    def _end_tasks(self) -> None:
        """Ends the tasks of the dead, from outside of all tasks; they send nothing on their way out."""
        for party in self._buried:
            for task in party.tasks:
                if not task.ended:
                    self.world.current = task
                    task.greenlet.throw()
                    self.world.current = None
        self._buried.clear()

    # -- submitters

    def _submit(self) -> None:
        store = self._connect(self._fate, "submitters")
        left = self.plan.jobs
        while left:
            burst = self.rng.random() < self.plan.burst / self.plan.burst_jobs / (1 - self.plan.burst)
            count = min(left, self.plan.burst_jobs if burst else 1)
            for _ in range(count):
                self._submit_one(store)
            left -= count
            self._sleep(self.rng.expovariate(1 / (self.plan.gap_s * count)))

    def _submit_one(self, store: JobStore) -> None:
        manifest = self._manifest()
        self.submitted[manifest.id] = (self.world.now_s, manifest.spec["input"]["sleep"])
        store.submit_manifest(manifest)

    def _manifest(self) -> Manifest:
        seconds = round(self.rng.uniform(*self.plan.run_s), 1)
        return Manifest(
            id=new_id(self.world.now_s, self.rng),
            kind="echo",
            spec={"input": {"sleep": seconds, "message": len(self.submitted)}, "cache": "off"},
            spec_sha256=hashlib.sha256(b"echo").hexdigest(),
            created_at=self.world.now_s,
            ttl_s=86400.0 * 7,
            retry=RetryPolicy(max_attempts=3, initial_s=2.0, max_s=10.0),
            nonce=f"{self.rng.getrandbits(128):032x}",
        )

    # -- time

    def _sleep(self, seconds: float) -> None:
        self.world.block(self.world.now_s + seconds)

    def _live(self, wanted: Callable[[], bool]) -> None:
        world = self.world
        while wanted():
            while world.ready:
                world.go(world.ready[0])
                self._end_tasks()
            due_s = world.next_timer_s()
            assert due_s is not None, "nobody has anything to do"
            assert due_s - START_S < 30 * 86400.0, f"{len(self.store.results)} jobs ended in a month"
            if due_s // QUARTER_S > world.now_s // QUARTER_S:
                self._on_quarter(f"{(due_s - START_S) / 3600:.2f} h: {len(self.store.results):,} jobs ended")
            world.advance(due_s)
