"""Files that go up beside the work: nothing is committed before they are there, and nothing is lost when they fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Unavailable
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


def submit(store: JobStore, **more: Any) -> str:
    return store.submit(parse_object({"kind": "test.make", "input": {}, **more}, known_kinds=Maker.kinds)).id


def worker(store: JobStore, maker: Maker, **limits: Any) -> Worker:
    return Worker(
        store, [maker], worker_id="w", limits=Limits(**limits), overlap=True, presence_every_s=None, sweep_every_s=None
    )


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
