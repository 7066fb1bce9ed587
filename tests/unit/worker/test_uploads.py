"""Files that go up beside the work: nothing is committed before they are there, and nothing is lost when they fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SystemRuntime, Task
from gpujob.errors import Unavailable
from gpujob.records import Result
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.executor import Executor, JobContext, Outcome


class Gate(MemoryBucket):
    """A bucket in memory whose uploads wait until the test lets them through, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.begun = threading.Event()
        self.fails = False

    def upload(self, key: str, path: Path, **more: Any) -> Any:
        if "/files/" in key:
            self.begun.set()
            assert self.open.wait(30)
            if self.fails:
                raise Unavailable("the store is away")
        return super().upload(key, path, **more)


class Maker(Executor):
    """Makes a file and removes it at once; then does what the test wants."""

    kinds: ClassVar[tuple[str, ...]] = ("test.make",)

    def __init__(self, then: Callable[[JobContext], None]) -> None:
        self.then = then

    def run(self, job: JobContext) -> Outcome:
        path = job.workdir / "made.txt"
        path.write_text(f"made by {job.id}")
        job.artifact("files/made.txt", path, media_type="text/plain")
        path.unlink()
        self.then(job)
        return Outcome({})


class Clock(SystemRuntime):
    """Threads of this machine, in a time that only the test moves."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def now(self) -> float:
        return 1_750_000_000.0 + self.elapsed_s

    def elapsed(self) -> float:
        return self.elapsed_s


class Pair(MemoryBucket):
    """Two jobs in the order in which a worker claimed them; their uploads wait until the test lets each through."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now=clock.now)
        self.jobs: list[str] = []
        self.ends: list[tuple[str, str]] = []
        self.open = (threading.Event(), threading.Event())

    def upload(self, key: str, path: Path, **more: Any) -> Any:
        assert self.open[self.jobs.index(key.split("/")[1])].wait(30)
        return super().upload(key, path, **more)

    def hear(self, event: str, job_id: str) -> None:
        """Once one has ended, the first one's files may go up."""
        if event == "claimed":
            self.jobs.append(job_id)
        else:
            self.ends.append((event, job_id))
            self.open[0].set()


def whole_s(result: Result) -> float:
    """The seconds that a result accounts for."""
    assert result.timings is not None
    return sum(result.timings.model_dump().values())


def submit(store: JobStore, **more: Any) -> str:
    return store.submit(parse_object({"kind": "test.make", "input": {}, **more}, known_kinds=Maker.kinds)).id


def worker(store: JobStore, maker: Maker, **limits: Any) -> Worker:
    return Worker(
        store, [maker], worker_id="w", limits=Limits(**limits), overlap=True, presence_every_s=None, sweep_every_s=None
    )


def pair_worker(store: JobStore, bucket: Pair, maker: Maker) -> Worker:
    return Worker(
        store, [maker], worker_id="w", limits=Limits(max_jobs=2), overlap=True, presence_every_s=None,
        sweep_every_s=None, on_event=bucket.hear,
    )  # fmt: skip


def test_the_next_job_computes_while_the_last_ones_files_go_up(tmp_path: Path) -> None:
    bucket = Gate()
    store = JobStore(bucket)
    ids = [submit(store), submit(store)]
    order: list[str] = []
    seen: list[tuple[str, bool]] = []

    def then(job: JobContext) -> None:
        order.append(job.id)
        if len(order) == 2:
            seen.append((store.status(order[0]).state, bucket.open.is_set()))
            bucket.open.set()

    assert worker(store, Maker(then), max_jobs=2).run().jobs == 2
    assert seen == [("running", False)]
    for job_id in ids:
        result = store.wait(job_id, timeout_s=10)
        assert store.download(result, tmp_path / job_id)[0].read_text() == f"made by {job_id}"


def test_it_holds_two_at_most() -> None:
    bucket = Gate()
    store = JobStore(bucket)
    ids = [submit(store) for _ in range(3)]
    held: list[int] = []

    def then(job: JobContext) -> None:
        held.append(sum(store.status(one).state == "running" for one in ids))
        if len(held) == 2:
            bucket.open.set()

    assert worker(store, Maker(then), max_jobs=3).run().jobs == 3
    assert max(held) == 2


@pytest.mark.parametrize("attempts", [1, 2])
def test_an_upload_that_fails_fails_the_attempt_and_not_the_worker(attempts: int) -> None:
    bucket = Gate()
    bucket.fails = True
    bucket.open.set()
    store = JobStore(bucket)
    retry = {"max_attempts": attempts, "backoff": {"initial": 0.01, "max": 0.01}}
    job = submit(store, retry=retry)
    made = worker(store, Maker(lambda job: None), max_jobs=attempts).run()
    assert made.jobs == attempts
    result = store.wait(job, timeout_s=10)
    assert result.error is not None
    assert (result.state, result.error.type) == ("failed", "storage")


def test_a_failed_run_uploads_nothing_more_and_leaves_no_folder(tmp_path: Path) -> None:
    bucket = Gate()
    store = JobStore(bucket)
    job = submit(store, retry={"max_attempts": 1})

    def then(job: JobContext) -> None:
        assert bucket.begun.wait(30)
        bucket.open.set()
        raise RuntimeError("broke")

    made = Worker(
        store, [Maker(then)], worker_id="w", limits=Limits(once=True), overlap=True, scratch=tmp_path,
        presence_every_s=None, sweep_every_s=None,
    )  # fmt: skip
    assert made.run().jobs == 1
    assert store.wait(job, timeout_s=10).state == "failed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_without_files_ends_while_the_last_ones_are_on_their_way(fails: bool) -> None:
    clock = Clock()
    bucket = Pair(clock)
    store = JobStore(bucket, runtime=clock)

    class FirstOnly(Maker):
        def run(self, job: JobContext) -> Outcome:
            clock.elapsed_s += 1.0
            if job.id == bucket.jobs[0]:
                return super().run(job)
            if fails:
                raise RuntimeError("broke")
            return Outcome({})

    for _ in range(2):
        submit(store, timeout=2, retry={"max_attempts": 1})
    assert pair_worker(store, bucket, FirstOnly(lambda job: None)).run().jobs == 2
    first, second = bucket.jobs
    assert bucket.ends == [("failed" if fails else "succeeded", second), ("succeeded", first)]
    for job_id in bucket.jobs:
        result = store.wait(job_id, timeout_s=10)
        assert whole_s(result) == pytest.approx(result.finished_at - result.created_at, abs=0.003)


def test_a_computed_job_neither_times_out_nor_waits_for_the_last_ones_files() -> None:
    class Slow(Clock):
        """Four seconds pass once the second job has been computed; then its file may go up."""

        def spawn(self, name: str, target: Callable[[], None]) -> Task:
            if len(bucket.jobs) == 2 and name == f"finish {bucket.jobs[1]}":
                self.elapsed_s += 4.0
                bucket.open[1].set()
            return super().spawn(name, target)

    def then(job: JobContext) -> None:
        clock.elapsed_s += 1.0

    clock = Slow()
    bucket = Pair(clock)
    store = JobStore(bucket, runtime=clock)
    for _ in range(2):
        submit(store, timeout=2, retry={"max_attempts": 1})
    assert pair_worker(store, bucket, Maker(then)).run().jobs == 2
    first, second = bucket.jobs
    assert bucket.ends == [("succeeded", second), ("succeeded", first)]
    for job_id, upload_s in ((first, 5.0), (second, 4.0)):
        result = store.wait(job_id, timeout_s=10)
        assert result.timings is not None
        assert result.timings.upload == pytest.approx(upload_s, abs=0.003)
        assert whole_s(result) == pytest.approx(result.finished_at - result.created_at, abs=0.003)
