"""A worker obeys what it is told through the bucket: `stop` gives a long job back, `drain` finishes it first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.specs import parse_object
from gpujob_worker import Worker
from gpujob_worker.executor import Executor, JobContext, Outcome

PATIENCE_S = 30.0


class Long(Executor):
    """Works until the test lets it end, and looks meanwhile whether it has to stop."""

    kinds: ClassVar[tuple[str, ...]] = ("test.long",)

    def __init__(self) -> None:
        self.job_id = ""
        self.begun = threading.Event()
        self.ends = threading.Event()

    def run(self, job: JobContext) -> Outcome:
        self.job_id = job.id
        self.begun.set()
        while not self.ends.wait(0.01):
            job.check()
        return Outcome({})


class Serving:
    """A worker in a thread, in the middle of a long job."""

    def __init__(self) -> None:
        self.store = JobStore(MemoryBucket())
        spec = parse_object({"kind": "test.long", "input": {}, "timeout": 3600}, known_kinds=Long.kinds)
        self.ids = [self.store.submit(spec).id for _ in range(2)]
        self.executor = Long()
        self.worker = Worker(self.store, [self.executor], worker_id="w", presence_every_s=0.05, sweep_every_s=None)
        self.thread = threading.Thread(target=self.worker.run)

    def left(self) -> bool:
        self.thread.join(PATIENCE_S)
        return not self.thread.is_alive()


@contextmanager
def serving() -> Iterator[Serving]:
    served = Serving()
    served.thread.start()
    try:
        assert served.executor.begun.wait(PATIENCE_S)
        yield served
    finally:
        served.executor.ends.set()
        served.worker.stop()
        assert served.left()


def test_a_stop_through_the_bucket_gives_a_long_job_back_without_a_mark() -> None:
    """No test had a worker obey it: all of them passed on a worker that was deaf to the word."""
    with serving() as served:
        served.store.command_worker("w", "stop")
        assert served.left()
        status = served.store.status(served.executor.job_id)
        assert status.lease is not None
        assert (status.state, status.lease.releases) == ("queued", 1)
        assert (status.lease.failures, status.lease.losses) == (0, 0)
        assert served.store.workers() == []


def test_a_drain_through_the_bucket_finishes_the_job_and_begins_no_other() -> None:
    with serving() as served:
        served.store.command_worker("w", "drain")
        assert served.worker._wake.wait(PATIENCE_S), "it never heard of it"
        served.executor.ends.set()
        assert served.left()
        states = [served.store.status(one).state for one in served.ids]
        assert sorted(states) == ["queued", "succeeded"]
