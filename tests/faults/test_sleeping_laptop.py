"""A laptop is shut in the middle of a job and opened an hour later: somebody else has done the job, and it writes nothing.

While it sleeps none of its requests goes out; when it wakes, its steady clock has gone on, as one that counts suspended
time does. The same with a clock that stood still: the worker may then try to finish, and loses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar, TypeVar

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import system_random
from gpujob.clock import SYSTEM, SystemRuntime
from gpujob.records import QueueConfig
from gpujob_worker import EchoExecutor, Limits, Worker
from gpujob_worker.executor import Executor, JobContext, Outcome

T = TypeVar("T")
CONFIG = QueueConfig(created_at=1.0, ttl_s=8.0, beat_s=1.0)
WRITES = {"create", "replace", "delete", "upload"}
PATIENCE_S = 60.0


class Lid:
    """Whether the laptop is open, and what its steady clock shows."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.offset_s = 0.0
        self._shut_at_s = 0.0

    def shut(self) -> None:
        self._shut_at_s = SYSTEM.elapsed()
        self.open.clear()

    def lift(self, after_s: float | None) -> None:
        """Opens it after so long, by its own clock; None for a clock that stood still."""
        really_s = SYSTEM.elapsed() - self._shut_at_s
        self.offset_s = -really_s if after_s is None else after_s - really_s
        self.open.set()


class Laptop(SystemRuntime):
    """The machine's runtime, with the lid's steady clock."""

    def __init__(self, lid: Lid) -> None:
        self._lid = lid

    def elapsed(self) -> float:
        return super().elapsed() + self._lid.offset_s


class Unplugged(WrappedBucket):
    """Sends nothing while the lid is shut; keeps the writes that were begun after it was lifted."""

    def __init__(self, inner: Bucket, lid: Lid) -> None:
        super().__init__(inner)
        self._lid = lid
        self.slept = False
        self.late_writes: list[tuple[str, str]] = []

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        if self.slept and verb in WRITES:
            self.late_writes.append((verb, key))
        self._lid.open.wait()  # one that was on its way when the lid was shut goes out when it is lifted
        return call()


class Interrupted(Executor):
    """Is in the middle of its work when the lid is shut."""

    kinds: ClassVar[tuple[str, ...]] = ("echo",)
    isolated: ClassVar[bool] = False

    def __init__(self, lid: Lid) -> None:
        self.begun = threading.Event()
        self._lid = lid

    def run(self, job: JobContext) -> Outcome:
        self._lid.shut()
        self.begun.set()
        self._lid.open.wait()
        job.check()
        return Outcome({"message": "late"})


@pytest.mark.parametrize("after_s", [3600.0, None], ids=["an hour", "a clock that stands still"])
def test_a_laptop_that_slept_through_its_lease(after_s: float | None) -> None:
    queue, lid = MemoryBucket(), Lid()
    bucket = Unplugged(queue, lid)
    laptop = JobStore(bucket, config=CONFIG, runtime=Laptop(lid), rng=system_random())
    home = JobStore(queue, config=CONFIG)
    job_id = home.submit({"kind": "echo", "input": {"message": "m"}}).id
    executor = Interrupted(lid)
    sleeper = Worker(laptop, [executor], worker_id="laptop", limits=Limits(max_jobs=1))
    task = SYSTEM.spawn("laptop", lambda: sleeper.run() and None)
    assert executor.begun.wait(PATIENCE_S)
    Worker(home, [EchoExecutor()], worker_id="desktop", limits=Limits(max_jobs=1)).run()
    first = queue.get(keys.done(job_id))
    bucket.slept = True
    lid.lift(after_s)
    task.join(PATIENCE_S)
    assert not task.is_alive()
    result = home.result(job_id)
    assert result is not None and queue.get(keys.done(job_id)).version == first.version  # type: ignore[union-attr]
    assert (result.worker["id"], result.attempt, result.losses) == ("desktop", 2, 1)
    assert result.output == {"message": "m"}
    assert dict(sleeper.summary.endings) == {"dropped": 1}
    about_the_job = [write for write in bucket.late_writes if job_id in write[1]]
    assert after_s is None or about_the_job == []
    assert [entry.key for entry in queue.list("").entries if job_id in entry.key] == [keys.done(job_id)]
