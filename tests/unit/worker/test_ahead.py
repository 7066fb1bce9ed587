"""Inputs that come down while another job computes: without a lease, and in nobody's way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Unavailable
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.executor import Executor, JobContext, Outcome


class Reader(Executor):
    """Gives its inputs back; `then` is what else happens in a job."""

    kinds: ClassVar[tuple[str, ...]] = ("test.read",)

    def __init__(self, then: Callable[[JobContext], None] = lambda job: None) -> None:
        self.then = then

    def run(self, job: JobContext) -> Outcome:
        self.then(job)
        return Outcome({name: path.read_text() for name, path in job.files.items()})


class Watched(MemoryBucket):
    """Tells when two inputs have been fetched, and which."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.both = threading.Event()

    def download(self, key: str, *, offset: int = 0) -> Any:
        if key.startswith(keys.INPUTS):
            self.fetched.append(key)
        if len(self.fetched) == 2:
            self.both.set()
        return super().download(key, offset=offset)


def submit(store: JobStore, folder: Path, text: str, **more: Any) -> str:
    (folder / text).write_text(text)
    spec = {"kind": "test.read", "input": {}, "files": [{"name": "in.txt", "source": text}], **more}
    return store.submit(parse_object(spec, known_kinds=Reader.kinds), base_dir=folder).id


def worker(store: JobStore, reader: Reader, scratch: Path, **limits: Any) -> Worker:
    scratch.mkdir(exist_ok=True)
    return Worker(
        store, [reader], worker_id="w", limits=Limits(**limits), overlap=True, scratch=scratch, presence_every_s=None,
        sweep_every_s=None,
    )  # fmt: skip


def test_the_next_inputs_come_down_while_a_job_computes_and_are_fetched_once(tmp_path: Path) -> None:
    bucket = Watched()
    store = JobStore(bucket)
    ids = [submit(store, tmp_path, text) for text in ("one", "two")]
    ahead: list[bool] = []

    def then(job: JobContext) -> None:
        if not ahead:
            ahead.append(bucket.both.wait(20))
            assert [store.status(one).state for one in ids].count("running") == 1, "no second lease is held for it"

    assert worker(store, Reader(then), tmp_path / "scratch", max_jobs=2).run().jobs == 2
    assert ahead == [True]
    assert len(bucket.fetched) == 2
    assert sorted(store.wait(one).output["in.txt"] for one in ids) == ["one", "two"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_could_not_be_fetched_ahead_is_fetched_when_the_job_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fails(*args: object, **more: object) -> None:
        tried.append(args)
        raise Unavailable("the store is away")

    monkeypatch.setattr("gpujob_worker.ahead.inputs", SimpleNamespace(fetch=fails))
    store = JobStore(MemoryBucket())
    ids = [submit(store, tmp_path, text) for text in ("one", "two")]
    assert worker(store, Reader(), tmp_path / "scratch", max_jobs=2).run().jobs == 2
    assert [store.status(one).state for one in ids] == ["succeeded", "succeeded"]
    assert len(tried) == 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_job_that_does_not_come_next_was_fetched_in_vain(tmp_path: Path) -> None:
    bucket = Watched()
    store = JobStore(bucket)
    first, second = submit(store, tmp_path, "one"), submit(store, tmp_path, "two")

    def then(job: JobContext) -> None:
        assert bucket.both.wait(20)
        store.cancel(second if job.id == first else first)

    assert worker(store, Reader(then), tmp_path / "scratch", max_jobs=1).run().jobs == 1
    assert list((tmp_path / "scratch").iterdir()) == [], "nothing is left behind"


def test_kinds_without_inputs_cost_no_request(tmp_path: Path) -> None:
    bucket = CountingBucket(MemoryBucket())
    store = JobStore(bucket)
    for _ in range(3):
        store.submit(parse_object({"kind": "test.read", "input": {}}, known_kinds=Reader.kinds))
    before = bucket.counts["get", "pending"]
    assert worker(store, Reader(), tmp_path / "scratch", max_jobs=3).run().jobs == 3
    assert bucket.counts["get", "pending"] - before == 3
