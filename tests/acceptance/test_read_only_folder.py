"""A folder store on a disk that can only be read: it can be looked at, and everything else is refused with a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.store import open_store

from .command_line import Person
from .processes import WorkerProcess
from .small_disks import mounted


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which `make_read_only` turns."""
    with mounted(tmp_path / "disk", "4m") as place:
        yield place


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def test_a_read_only_store_is_looked_at_and_not_changed(disk: Path, tmp_path: Path) -> None:
    url = (disk / "store").as_uri()
    kept = open_store(url).submit({"kind": "echo", "input": {"message": "kept"}}).id
    before = [entry.key for entry in FolderBucket(disk / "store").list("").entries]
    make_read_only(disk)
    person = Person(tmp_path)
    spec = person.write("job.json", {"kind": "echo", "input": {"message": "x"}})
    looked = person.run("ls", "-q", GPUJOB_STORE=url)
    assert (looked.code, looked.lines) == (0, [kept])
    for words in (("submit", spec), ("cancel", kept)):
        refused = person.run(*words, GPUJOB_STORE=url)
        assert refused.code == 6 and "the file system is read-only" in refused.err, refused
    assert [entry.key for entry in FolderBucket(disk / "store").list("").entries] == before


def test_a_store_cannot_be_made_on_a_read_only_disk(disk: Path, tmp_path: Path) -> None:
    make_read_only(disk)
    person = Person(tmp_path)
    spec = person.write("job.json", {"kind": "echo", "input": {"message": "x"}})
    refused = person.run("submit", spec, GPUJOB_STORE=(disk / "store").as_uri())
    assert refused.code == 6 and "the file system is read-only" in refused.err, refused.err


def test_a_worker_waits_for_a_store_that_is_read_only(disk: Path, tmp_path: Path) -> None:
    url = (disk / "store").as_uri()
    job_id = open_store(url).submit({"kind": "echo", "input": {"message": "kept"}}).id
    make_read_only(disk)
    with WorkerProcess(url, tmp_path / "home", "--kinds", "echo", "--max-jobs", "1") as worker:
        worker.wait_for("the file system is read-only")
        worker.wait_for("trying again in")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        worker.wait_for(f"succeeded {job_id}")
        assert worker.end() == 0
