"""A real full disk, of the submitter, of the worker, of the store: a small file system in memory, mounted for the test.

Whatever it is that is full, no job is lost, nothing half-written is visible, and what was full is said.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gpujob import JobStore
from gpujob.buckets.folder import FolderBucket
from gpujob.queue import save
from gpujob.records import QueueConfig

from .command_line import Person
from .processes import WorkerProcess
from .small_disks import mounted

SPEC = {"kind": "echo", "input": {"message": "x", "artifacts": [{"name": "big.bin", "bytes": 3_000_000}]}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that holds 200 kB."""
    with mounted(tmp_path / "small", "200k") as place:
        yield place


def test_a_full_disk_while_downloading_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    person = Person(tmp_path)
    spec = person.write("big.json", SPEC)
    full = person.run("submit", spec, "--wait", "-o", small_disk / "out")
    assert full.code == 6, full.err
    assert "No space left on device" in full.err and "gpujob get" in full.err
    visible = [path for path in (small_disk / "out").iterdir() if not path.name.startswith(".")]
    assert visible == [], "nothing half-written is visible"
    got = person.run("get", full.lines[0], "-o", tmp_path / "roomy")
    assert got.code == 0, got.err
    assert (tmp_path / "roomy" / "big.bin").stat().st_size == 3_000_000


def fill(place: Path) -> Path:
    """Uses up all that is left, to the last byte."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as stream:
        while shutil.disk_usage(place).free:  # a worker may give back a block meanwhile
            for size in (4096, 512, 1):
                with suppress(OSError):
                    while True:
                        stream.write(b"x" * size)
    return filler


def queue_at(place: Path) -> JobStore:
    """A queue that is quick to notice things."""
    bucket = FolderBucket(place)
    store = JobStore(bucket)
    config = save(store.context, QueueConfig(created_at=1.0, ttl_s=12.0, beat_s=1.0))
    return JobStore(bucket, config=config)


def test_a_full_disk_of_the_submitters_own_notes_stops_nothing(small_disk: Path, tmp_path: Path) -> None:
    person = Person(tmp_path)
    fill(small_disk)
    notes = {name: str(small_disk / name.lower()) for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    sent = person.run("submit", person.write("job.json", {"kind": "echo", "input": {"message": "x"}}), **notes)
    assert sent.code == 0, sent.err
    assert json.loads(person.run("show", sent.lines[0], "--json").out)["state"] == "queued"


def test_a_workers_full_disk_costs_an_attempt_that_says_so(small_disk: Path, tmp_path: Path) -> None:
    store = queue_at(tmp_path / "store")
    job_id = store.submit({**SPEC, "retry": {"backoff": {"initial": 0.2}}}).id
    url, flags = store.bucket.url, ("--kinds", "echo", "--max-jobs", "1")
    with WorkerProcess(url, tmp_path / "full", *flags, env={"TMPDIR": str(small_disk)}) as full:
        full.wait_for(f"retry {job_id}")
        assert full.end() == 0
    lease = store.status(job_id).lease
    assert lease is not None and lease.error is not None
    assert (lease.error.type, lease.error.traceback) == ("storage", None)
    assert "the worker's disk is full" in lease.error.message
    with WorkerProcess(url, tmp_path / "roomy", *flags) as roomy:
        assert roomy.end() == 0
    result = store.result(job_id)
    assert result is not None and (result.state, result.attempt) == ("succeeded", 2)


def test_a_full_store_refuses_a_submit_with_a_sentence(small_disk: Path, tmp_path: Path) -> None:
    person = Person(tmp_path)
    store = queue_at(small_disk / "store")
    filler = fill(small_disk)
    spec = person.write("job.json", {"kind": "echo", "input": {"message": "x" * 5000}})
    full = person.run("submit", spec, GPUJOB_STORE=store.bucket.url)
    assert full.code == 6 and "the disk is full" in full.err, full.err
    assert store.jobs() == []
    filler.unlink()
    assert person.run("submit", spec, GPUJOB_STORE=store.bucket.url).code == 0


def test_a_worker_outlives_a_full_store(small_disk: Path, tmp_path: Path) -> None:
    store = queue_at(small_disk / "store")
    first = store.submit({"kind": "echo", "input": {"message": 1, "sleep": 5}}).id
    second = store.submit({"kind": "echo", "input": {"message": 2}}).id
    with WorkerProcess(store.bucket.url, tmp_path / "home", "--kinds", "echo") as worker:
        worker.wait_for("claimed")
        filler = fill(small_disk)
        worker.wait_for("the disk is full")
        filler.unlink()
        results = [store.wait(job_id, timeout_s=100.0) for job_id in (first, second)]
        worker.signal(signal.SIGTERM)
        assert worker.end() == 0
    assert [(result.state, result.output["message"]) for result in results] == [("succeeded", 1), ("succeeded", 2)]
