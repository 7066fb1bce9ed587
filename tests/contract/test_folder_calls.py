"""A failure or a sudden death before and after every single system call of every verb of the folder bucket.

After each: what is visible is whole, the outcome that was reported is true, and the next writer is not hindered.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.folder.disk import Disk
from gpujob.errors import Busy, LocalDisk, PreconditionFailed, Unavailable
from tests.contract.back_doors import FolderBackDoor
from tests.contract.fragile_disk import CALLS, Fault, FragileDisk, Killed

KEY = "artifacts/01jd/1-ab/step.wav"
NEIGHBOUR = "artifacts/01jd/1-ab/other.wav"
OLD, NEW = b"old" * 500, b"new" * 700


@dataclass(frozen=True)
class Verb:
    """One verb on a store prepared for it; `before` and `after` are the object's body then and if the verb succeeds."""

    name: str
    act: Callable[[FolderBucket, str, Path], object]
    before: bytes | None
    after: bytes | None
    neighbour: bool = True
    refused: bool = False


VERBS = [
    Verb("create", lambda b, v, f: b.create(KEY, NEW), None, NEW),
    Verb("create in an empty store", lambda b, v, f: b.create(KEY, NEW), None, NEW, neighbour=False),
    Verb("create, refused", lambda b, v, f: b.create(KEY, NEW), OLD, OLD, refused=True),
    Verb("replace", lambda b, v, f: b.replace(KEY, NEW, v), OLD, NEW),
    Verb("replace, refused", lambda b, v, f: b.replace(KEY, NEW, "stale"), OLD, OLD, refused=True),
    Verb("delete", lambda b, v, f: b.delete(KEY), OLD, None),
    Verb("delete the last in its folder", lambda b, v, f: b.delete(KEY), OLD, None, neighbour=False),
    Verb("upload", lambda b, v, f: b.upload(KEY, f), None, NEW),
    Verb("upload over an object", lambda b, v, f: b.upload(KEY, f), OLD, NEW),
]


class Store:
    """A store prepared for a verb, and a bucket on it whose disk has the fault."""

    def __init__(self, folder: Path, verb: Verb, fault: Fault | None = None) -> None:
        self.root, self.verb = folder / "store", verb
        folder.mkdir(parents=True)
        (folder / "source").write_bytes(NEW)
        healthy = FolderBucket(self.root)
        if verb.neighbour:
            healthy.create(NEIGHBOUR, b"other")
        version = healthy.create(KEY, OLD) if verb.before is not None else ""
        self.back_door = FolderBackDoor(self.root)
        self.disk = FragileDisk(fault)
        bucket = FolderBucket(self.root, disk=self.disk)
        self.outcome = self._outcome(lambda: verb.act(bucket, version, folder / "source"))
        self.disk.close_all()

    def _outcome(self, act: Callable[[], object]) -> type[BaseException] | None:
        try:
            act()
        except (Killed, Unavailable, LocalDisk, PreconditionFailed, Busy) as error:
            return type(error)
        return None

    def check(self) -> None:
        body, verb = self.back_door.raw_get(KEY), self.verb
        assert body in (verb.before, verb.after), "a body that nobody wrote"
        if self.outcome is None:
            assert body == verb.after and not verb.refused
        elif self.outcome is PreconditionFailed:
            assert verb.refused, "refused without a reason"
        elif self.outcome in (LocalDisk, Busy):
            assert body == verb.before, f"{self.outcome.__name__} promises that nothing was written"
        self._check_scratch()
        self._check_next(FolderBucket(self.root), body)

    def _check_scratch(self) -> None:
        """Only a death, or a failure of the very calls that make and remove it, leaves a scratch file; it is swept."""
        left = self.back_door.scratch_files()
        if self.outcome is not Killed and not {"make", "unlink"} & {self.struck}:
            assert left == []
        for name in left:
            os.utime(self.root / ".scratch" / name, (0, 0))

    @property
    def struck(self) -> str:
        fault = self.disk._fault
        return self.disk.calls[fault.index] if fault else ""

    def _check_next(self, bucket: FolderBucket, body: bytes | None) -> None:
        found = bucket.get(KEY)
        assert (found and found.body) == body
        here = [KEY] if body is not None else []
        neighbours = [NEIGHBOUR] if self.verb.neighbour else []
        assert [entry.key for entry in bucket.list("").entries] == neighbours + here
        if found:
            with pytest.raises(PreconditionFailed):
                bucket.create(KEY, b"next")
            bucket.replace(KEY, b"next", found.version)
        else:
            bucket.create(KEY, b"next")
        assert self.back_door.raw_get(KEY) == b"next"
        assert self.back_door.scratch_files() == [], "old scratch files are swept at the first write"
        bucket.delete(KEY)
        assert self.back_door.raw_keys() == neighbours


def faults_of(calls: list[str]) -> list[Fault]:
    faults = []
    for index, name in enumerate(calls):
        faults += [Fault(index, "before", None), Fault(index, "after", None)]
        faults += [Fault(index, "before", errno.EIO), Fault(index, "after", errno.EIO)]
        faults += [Fault(index, "before", errno.ENOSPC), Fault(index, "before", errno.EROFS)]
        if name == "write":
            faults += [Fault(index, "middle", None), Fault(index, "middle", errno.ENOSPC)]
    return faults


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_every_call_may_fail_or_be_the_last(verb: Verb, tmp_path: Path) -> None:
    calls = Store(tmp_path / "clean", verb).disk.calls
    faults = faults_of(calls)
    assert verb.refused or len(calls) >= 4
    for number, fault in enumerate(faults):
        store = Store(tmp_path / str(number), verb, fault)
        try:
            store.check()
        except BaseException as error:
            error.add_note(f"{verb.name}: {fault} ({calls[fault.index]}); reported {store.outcome}")
            raise


def test_the_verbs_above_use_every_call_of_the_disk(tmp_path: Path) -> None:
    used: set[str] = set()
    for number, verb in enumerate(VERBS):
        used |= set(Store(tmp_path / str(number), verb).disk.calls)
    disk = FragileDisk()
    FolderBucket(tmp_path / "0" / "store", disk=disk).list("")
    assert used | set(disk.calls) == set(CALLS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.after == NEW], ids=lambda verb: verb.name)
def test_bytes_are_synced_before_they_are_named_and_the_folder_after(verb: Verb, tmp_path: Path) -> None:
    calls = Store(tmp_path / "one", verb).disk.calls
    written = max(index for index, name in enumerate(calls) if name == "write")
    named = max(index for index, name in enumerate(calls) if name in ("rename", "link"))
    assert "sync" in calls[written:named], "named before its bytes are on the disk"
    assert "sync" in calls[named:], "the name itself is not on the disk"


@pytest.mark.parametrize(
    "read",
    [
        lambda bucket: bucket.get(KEY).body == OLD,
        lambda bucket: bucket.head(KEY).size_bytes == len(OLD),
        lambda bucket: [entry.key for entry in bucket.list("artifacts/").entries] == [KEY],
        lambda bucket: fetched(bucket) == OLD,
    ],
    ids=["get", "head", "list", "download"],
)
def test_a_read_that_fails_says_so(read: Callable[[FolderBucket], bool], tmp_path: Path) -> None:
    FolderBucket(tmp_path).create(KEY, OLD)
    clean = FragileDisk()
    assert read(FolderBucket(tmp_path, disk=clean))
    for index in range(len(clean.calls)):
        for when in ("before", "after"):
            disk = FragileDisk(Fault(index, when, errno.EIO))
            bucket = FolderBucket(tmp_path, disk=disk)
            if clean.calls[index] == "close":
                assert read(bucket), "the answer was known before"
            else:
                with pytest.raises(Unavailable, match=r"^cannot (read|list)"):
                    read(bucket)
            disk.close_all()


def fetched(bucket: FolderBucket) -> bytes | None:
    with bucket.download(KEY) as chunks:
        return None if chunks is None else b"".join(chunks)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission is denied"),
    ],
)
def test_a_disk_that_takes_nothing_more(error: int, said: str, tmp_path: Path) -> None:
    class Refusing(Disk):
        def make(self, path: str) -> int:
            raise OSError(error, os.strerror(error), path)

    healthy = FolderBucket(tmp_path / "store")
    version = healthy.create(KEY, OLD)
    (tmp_path / "source").write_bytes(NEW)
    bucket = FolderBucket(tmp_path / "store", disk=Refusing())
    for write in (
        lambda: bucket.create("a", NEW),
        lambda: bucket.replace(KEY, NEW, version),
        lambda: bucket.upload("b", tmp_path / "source"),
    ):
        with pytest.raises(LocalDisk, match=said) as raised:
            write()
        assert raised.value.hint
    assert [entry.key for entry in bucket.list("").entries] == [KEY]
    assert healthy.get(KEY).body == OLD
    bucket.delete(KEY)  # frees space, so it must work
    assert healthy.get(KEY) is None


def test_a_disk_that_fills_up_within_a_large_upload(tmp_path: Path) -> None:
    class Filling(Disk):
        left_bytes = 2_500_000

        def write(self, fd: int, data: bytes | memoryview) -> int:
            if not self.left_bytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(fd, data[: min(len(data), self.left_bytes, 700_000)])
            self.left_bytes -= written
            return written

    (tmp_path / "source").write_bytes(NEW * 2000)
    bucket = FolderBucket(tmp_path / "store", disk=Filling())
    with pytest.raises(LocalDisk, match="full"):
        bucket.upload(KEY, tmp_path / "source")
    back_door = FolderBackDoor(tmp_path / "store")
    assert back_door.raw_keys() == [] and back_door.scratch_files() == []
    roomy = FolderBucket(tmp_path / "store", disk=Filling())
    (tmp_path / "source").write_bytes(NEW * 1000)
    roomy.upload(KEY, tmp_path / "source")
    assert back_door.raw_get(KEY) == NEW * 1000
