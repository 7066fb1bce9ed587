"""A job that has to stop does so while its inputs come down and while its files go up, and nobody waits for the rest."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SystemRuntime, Task
from gpujob.specs import parse_object
from gpujob_worker import Limits, Worker
from gpujob_worker.executor import Executor, JobContext, Outcome

CHUNKS = 10
MiB = 1 << 20


class Clock(SystemRuntime):
    """Threads of this machine, in a time that only the test moves."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.spawning: Callable[[str], None] = lambda name: None

    def now(self) -> float:
        return 1_750_000_000.0 + self.elapsed_s

    def elapsed(self) -> float:
        return self.elapsed_s

    def spawn(self, name: str, target: Callable[[], None]) -> Task:
        self.spawning(name)
        return super().spawn(name, target)


class Transfer:
    """One body on its way, piece by piece; before the second one `meanwhile` happens."""

    def __init__(self) -> None:
        self.pieces = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.ended = threading.Event()

    def piece(self) -> None:
        """One more."""
        self.pieces += 1
        if self.pieces == 2:
            self.meanwhile()


class Slow(MemoryBucket):
    """Moves what jobs read and make piece by piece."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(now=clock.now)
        self.transfers: defaultdict[str, Transfer] = defaultdict(Transfer)  # by the last part of the key

    def input(self, text: str) -> Transfer:
        """That of the input which `submit` makes of a text."""
        return self.transfers[hashlib.sha256((text * CHUNKS).encode()).hexdigest()]

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        found = self.get(key)
        assert found is not None and key.startswith(keys.INPUTS)
        transfer = self.transfers[key.removeprefix(keys.INPUTS)]
        try:
            yield self._in_pieces(found.body, transfer)
        finally:
            transfer.ended.set()

    def upload(self, key: str, source: Path, **more: Any) -> None:
        if not key.startswith(keys.INPUTS):
            transfer = self.transfers[key.rsplit("/", maxsplit=1)[-1]]
            try:
                with source.open("rb") as stream:
                    while stream.read(MiB):
                        transfer.piece()
            finally:
                transfer.ended.set()
        super().upload(key, source, **more)

    def _in_pieces(self, body: bytes, transfer: Transfer) -> Iterator[bytes]:
        size = len(body) // CHUNKS
        for start in range(0, len(body), size):
            transfer.piece()
            yield body[start : start + size]


class Gate:
    """Something that begins and then hangs until the test lets it go on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.open.wait(30)


class Reader(Executor):
    """Does what the test wants, and makes a file of `mib` MiB."""

    kinds: ClassVar[tuple[str, ...]] = ("test.read",)

    def __init__(self, then: Callable[[JobContext], None] = lambda job: None, *, mib: int = 0) -> None:
        self.then = then
        self.mib = mib

    def run(self, job: JobContext) -> Outcome:
        if self.mib:
            path = job.workdir / "made.bin"
            path.write_bytes(bytes(self.mib * MiB))
            job.artifact("made.bin", path, media_type="application/octet-stream")
        self.then(job)
        return Outcome({})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bucket(clock: Clock) -> Slow:
    return Slow(clock)


@pytest.fixture
def store(bucket: Slow, clock: Clock) -> JobStore:
    return JobStore(bucket, runtime=clock)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def submit(store: JobStore, folder: Path | None = None, text: str = "", **more: Any) -> str:
    spec: dict[str, Any] = {"kind": "test.read", "input": {}, "retry": {"max_attempts": 1}, **more}
    if folder is not None:
        (folder / text).write_text(text * CHUNKS)
        spec["files"] = [{"name": "in.txt", "source": text}]
    return store.submit(parse_object(spec, known_kinds=Reader.kinds), base_dir=folder or Path()).id


def worker(store: JobStore, reader: Reader, scratch: Path, *, max_jobs: int = 1, **more: Any) -> Worker:
    settings: dict[str, Any] = {"overlap": True, "presence_every_s": None, "sweep_every_s": None, **more}
    return Worker(store, [reader], worker_id="w", limits=Limits(max_jobs=max_jobs), scratch=scratch, **settings)


@pytest.mark.parametrize("why", ["stop", "timeout", "a lost lease"])
def test_inputs_come_down_no_further_once_the_job_has_to_stop(
    store: JobStore, bucket: Slow, clock: Clock, tmp_path: Path, scratch: Path, why: str
) -> None:
    job = submit(store, tmp_path, "one", timeout=2)
    made = worker(store, Reader(), scratch)

    def meanwhile() -> None:
        if why == "stop":
            made.stop()
        else:
            clock.elapsed_s += 3.0 if why == "timeout" else 29.0

    bucket.input("one").meanwhile = meanwhile
    ending = {"stop": "released", "timeout": "failed", "a lost lease": "dropped"}[why]
    assert made.run().endings == {ending: 1}
    assert bucket.input("one").pieces == 2
    if why == "timeout":
        error = store.wait(job, timeout_s=10).error
        assert error is not None and error.type == "timeout"
    assert list(scratch.iterdir()) == []


class Two:
    """Two jobs with inputs; those of the one that is not claimed first hang on their way."""

    def __init__(self, store: JobStore, bucket: Slow, folder: Path) -> None:
        self.texts = {submit(store, folder, text): text for text in ("one", "two")}
        self.gate = Gate()
        self.ahead = Transfer()
        self.other = ""
        self._bucket = bucket

    def hear(self, event: str, job_id: str) -> None:
        """Learns which is the first."""
        if event == "claimed" and not self.other:
            (self.other,) = self.texts.keys() - {job_id}
            self.ahead = self._bucket.input(self.texts[self.other])
            self.ahead.meanwhile = self.gate


def test_a_worker_that_drains_does_not_wait_for_what_it_fetches_ahead(
    store: JobStore, bucket: Slow, tmp_path: Path, scratch: Path
) -> None:
    two = Two(store, bucket, tmp_path)

    def then(job: JobContext) -> None:
        assert two.gate.begun.wait(30)
        made.drain()

    made = worker(store, Reader(then), scratch, max_jobs=2, on_event=two.hear)
    assert made.run().endings == {"succeeded": 1}
    assert not two.ahead.ended.is_set()
    assert list(scratch.iterdir()) == []
    two.gate.open.set()
    assert two.ahead.ended.wait(30)
    assert two.ahead.pieces == 2


def test_a_claimed_job_does_not_wait_for_the_inputs_of_another(
    store: JobStore, bucket: Slow, clock: Clock, tmp_path: Path, scratch: Path
) -> None:
    two = Two(store, bucket, tmp_path)
    waited: list[bool] = []

    def then(job: JobContext) -> None:
        if job.id in two.texts:
            assert two.gate.begun.wait(30)
            store.cancel(two.other)
            submit(store)
            clock.elapsed_s += 15.0  # the worker looks for jobs anew
        else:
            waited.append(two.ahead.ended.is_set())

    assert worker(store, Reader(then), scratch, max_jobs=2, on_event=two.hear).run().endings == {"succeeded": 2}
    assert waited == [False]
    assert list(scratch.iterdir()) == []
    two.gate.open.set()


@pytest.mark.parametrize("overlap", [True, False])
def test_a_file_goes_up_no_further_once_the_job_has_to_stop(
    store: JobStore, bucket: Slow, scratch: Path, overlap: bool
) -> None:
    job = submit(store)
    made = worker(store, Reader(mib=8), scratch, overlap=overlap)
    bucket.transfers["made.bin"].meanwhile = made.stop
    assert made.run().endings == {"released": 1}
    assert bucket.transfers["made.bin"].pieces == 2
    assert store.status(job).state == "queued"
    assert bucket.list(keys.ARTIFACTS).entries == ()


def test_a_job_whose_upload_hangs_is_given_back_when_the_worker_stops(
    store: JobStore, bucket: Slow, clock: Clock, scratch: Path
) -> None:
    job = submit(store)
    gate = Gate()
    bucket.transfers["made.bin"].meanwhile = gate
    made = worker(store, Reader(lambda job: None, mib=8), scratch)
    clock.spawning = lambda name: made.stop() if name.startswith("finish") else None
    assert made.run().endings == {"released": 1}
    assert not bucket.transfers["made.bin"].ended.is_set()
    assert store.status(job).state == "queued"
    gate.open.set()


def test_a_run_that_fails_does_not_wait_for_its_upload(store: JobStore, bucket: Slow, scratch: Path) -> None:
    job = submit(store)
    gate = Gate()
    bucket.transfers["made.bin"].meanwhile = gate

    def then(job: JobContext) -> None:
        assert gate.begun.wait(30)
        raise RuntimeError("broke")

    assert worker(store, Reader(then, mib=8), scratch).run().endings == {"failed": 1}
    assert not bucket.transfers["made.bin"].ended.is_set()
    assert store.status(job).state == "failed"
    assert list(scratch.iterdir()) == []
    gate.open.set()
