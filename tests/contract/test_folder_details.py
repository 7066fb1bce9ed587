"""What the folder bucket does beyond the contract: odd keys, odd file systems, leftovers, empty folders, time."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.folder.disk import Disk
from gpujob.buckets.folder.steps import LOCK_PATIENCE_S
from gpujob.errors import Busy, Configuration, LocalDisk, PreconditionFailed, UnsafeName, UnsafeStore
from tests.contract.back_doors import FolderBackDoor
from tests.contract.fragile_disk import FragileDisk

KEY = "leased/01jd.json"


def keys(bucket: FolderBucket, prefix: str = "") -> list[str]:
    return [entry.key for entry in bucket.list(prefix).entries]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../b",
        "a/..",
        ".",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        "a\0b",
        "\udcff",
        "é" * 513,
    ],
)
def test_a_key_that_could_leave_the_folder_is_refused(key: str, tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "store")
    (tmp_path / "source").write_bytes(b"")
    for verb in (
        lambda: bucket.create(key, b""),
        lambda: bucket.replace(key, b"", "v"),
        lambda: bucket.get(key),
        lambda: bucket.head(key),
        lambda: bucket.delete(key),
        lambda: bucket.upload(key, tmp_path / "source"),
        lambda: bucket.download(key).__enter__(),
    ):
        with pytest.raises(UnsafeName):
            verb()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("prefix", ["..", "../", "/", "/etc", "a//", "./", "\0", "\udcff/", "x" * 3000 + "/"])
def test_a_prefix_that_no_key_can_have_lists_nothing(prefix: str, tmp_path: Path) -> None:
    (tmp_path / "outside@").write_bytes(b"secret")
    bucket = FolderBucket(tmp_path / "store")
    bucket.create("a/b", b"")
    assert keys(bucket, prefix) == []


def test_keys_that_look_like_the_buckets_own_files(tmp_path: Path) -> None:
    odd = [
        ".scratch",
        ".scratch/x",
        "%2e",
        "...",
        "..a",
        ".hidden/..b",
        "A",
        "CON",
        "a",
        "a%41",
        "a@",
        "a@/b",
        "b c*?",
        "é/ü",
        "ñ",
    ]
    bucket = FolderBucket(tmp_path)
    for key in reversed(odd):
        bucket.create(key, key.encode())
    assert keys(bucket) == sorted(odd)
    for key in odd:
        found = bucket.get(key)
        assert found is not None and found.body == key.encode()
        assert keys(bucket, key)[0] == key


def test_no_two_keys_share_a_file_where_case_does_not_count(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    for key in ("a/b", "A/b", "a/B", "A/B", "ä", "a\u0308", "Ä"):
        bucket.create(key, key.encode())
    stored = [os.path.relpath(file, tmp_path) for file in tmp_path.rglob("*@")]
    assert len({name.lower() for name in stored}) == 7
    assert all(name.isascii() and name == name.lower() for name in stored)


def test_long_keys(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    for key in ("x" * 254, "y/" * 511 + "y", "é" * 42, "/".join(["z" * 254] * 4)):
        bucket.create(key, b"1")
        found = bucket.get(key)
        assert found is not None and keys(bucket, key[:100]) == [key]
        bucket.delete(key)
    for key in ("x" * 255, "é" * 43, "y/" * 512 + "y"):
        with pytest.raises(UnsafeName, match=r"too long|1024"):
            bucket.create(key, b"1")


def test_a_missing_folder_is_an_empty_bucket(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "not" / "yet")
    assert bucket.get(KEY) is None and keys(bucket) == []
    bucket.delete(KEY)
    with pytest.raises(PreconditionFailed):
        bucket.replace(KEY, b"", "v")
    assert not (tmp_path / "not").exists(), "reading makes no folders"
    bucket.create(KEY, b"1")
    assert keys(bucket) == [KEY]
    assert bucket.url == (tmp_path / "not" / "yet").as_uri()


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    bucket = FolderBucket(tmp_path / "store")
    for verb in (lambda: bucket.create(KEY, b""), lambda: bucket.get(KEY), lambda: bucket.list("")):
        with pytest.raises(Configuration, match="a file stands where a folder belongs"):
            verb()


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_hard_links_is_refused(error: int, tmp_path: Path) -> None:
    class Linkless(Disk):
        def link(self, source: str, target: str) -> None:
            raise OSError(error, os.strerror(error), source)

    bucket = FolderBucket(tmp_path, disk=Linkless())
    with pytest.raises(UnsafeStore, match="no hard links") as raised:
        bucket.create(KEY, b"")
    assert "local disk" in str(raised.value.hint)
    assert keys(bucket) == [] and FolderBackDoor(tmp_path).scratch_files() == []


def test_uploading_a_missing_file_is_said(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path / "store")
    with pytest.raises(LocalDisk, match=r"cannot read .*missing\.wav to upload it"):
        bucket.upload(KEY, tmp_path / "missing.wav")
    assert keys(bucket) == [] and FolderBackDoor(tmp_path / "store").scratch_files() == []


def test_files_that_somebody_else_put_there(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.create("a/1", b"ours")
    for name in ("readme.txt", "README@", "a/Upper@", "a/%zz@", "a/%41%@", "a/@", "a/.x@", os.fsdecode(b"a/\xff@")):
        (tmp_path / name).write_bytes(b"theirs")
    for name in ("Folder", "a%00", "%zz", "a/empty", ".git"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Theirs@").write_bytes(b"theirs")
    assert keys(bucket) == ["a/1"]
    (tmp_path / "a" / "2@").write_bytes(b"theirs, under a name of ours")
    (tmp_path / "a" / "3@").write_bytes(b"")
    found = bucket.get("a/2")
    assert found is not None and found.body == b"theirs, under a name of ours"
    assert [(entry.key, entry.size_bytes) for entry in bucket.list("a/").entries][1:] == [("a/2", 28), ("a/3", 0)]
    bucket.replace("a/2", b"ours now", found.version)
    with pytest.raises(PreconditionFailed):
        bucket.replace("a/2", b"", found.version)
    assert FolderBackDoor(tmp_path).raw_get("a/2") == b"ours now"


def test_old_scratch_files_are_swept_and_young_ones_left(tmp_path: Path) -> None:
    moment = 1_000_000.0
    bucket = FolderBucket(tmp_path, now=lambda: moment)
    bucket.create("a", b"")
    scratch, back_door = tmp_path / ".scratch", FolderBackDoor(tmp_path)
    for name, age_s in (("young", 3000), ("old", 4000)):
        (scratch / name).write_bytes(b"of a killed process")
        written = (scratch / name).stat().st_mtime - age_s
        os.utime(scratch / name, (written, written))
    bucket.create("b", b"")
    assert back_door.scratch_files() == ["old", "young"], "it looks once an hour"
    moment += 3601
    bucket.create("c", b"")
    assert back_door.scratch_files() == ["young"]
    FolderBucket(tmp_path, now=lambda: moment).create("d", b"")
    assert back_door.scratch_files() == ["young"]


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_a_writer_whose_scratch_file_was_swept_has_written_nothing(verb: str, tmp_path: Path) -> None:
    class Swept(Disk):
        def sync(self, fd: int) -> None:
            for file in (tmp_path / ".scratch").iterdir():
                file.unlink()

    version = FolderBucket(tmp_path).create(KEY, b"before")
    bucket = FolderBucket(tmp_path, disk=Swept())
    write = {
        "create": lambda: bucket.create("new/key", b""),
        "replace": lambda: bucket.replace(KEY, b"after", version),
    }
    with pytest.raises(Busy, match="nothing was written"):
        write[verb]()
    assert keys(bucket) == [KEY]
    assert FolderBackDoor(tmp_path).raw_get(KEY) == b"before"


def test_a_held_lock_makes_writers_busy_and_readers_nothing(tmp_path: Path) -> None:
    naps: list[float] = []
    bucket = FolderBucket(tmp_path, sleep=naps.append)
    version = bucket.create(KEY, b"1")
    bucket.create("leased/other.json", b"2")
    with (tmp_path / "leased" / "01jd.json@").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for verb in (lambda: bucket.replace(KEY, b"3", version), lambda: bucket.delete(KEY)):
            naps.clear()
            with pytest.raises(Busy, match="is one suspended"):
                verb()
            assert LOCK_PATIENCE_S <= sum(naps) < LOCK_PATIENCE_S + 1
            assert max(naps) < 0.1
        found = bucket.get(KEY)
        assert found is not None and found.body == b"1"
        bucket.delete("leased/other.json")
    bucket.replace(KEY, b"3", version)


def test_folders_that_become_empty_go_but_not_those_under_the_root(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.create("artifacts/01jd/1-ab/audio/1.wav", b"")
    bucket.create("artifacts/01jd/log.txt", b"")
    bucket.delete("artifacts/01jd/1-ab/audio/1.wav")
    assert [file.name for file in (tmp_path / "artifacts" / "01jd").iterdir()] == ["log.txt@"]
    bucket.delete("artifacts/01jd/log.txt")
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_a_page_of_100_000_keys_opens_only_its_own_objects(tmp_path: Path) -> None:
    class Crowded(FragileDisk):
        """A folder that also has the names of very many objects, which must not be looked at."""

        def names(self, path: str) -> list[str]:
            crowd = {f"{number:08d}.json@" for number in range(100_000)} if path.endswith("pending/5") else set()
            return list(crowd.union(os.listdir(path)))

    healthy = FolderBucket(tmp_path)
    for number in range(50_000, 50_005):
        healthy.create(f"pending/5/{number:08d}.json", b"")
    disk = Crowded()
    bucket = FolderBucket(tmp_path, disk=disk)
    page = bucket.list("pending/", after="pending/5/00049999.json", limit=2)
    assert [entry.key for entry in page.entries] == ["pending/5/00050000.json", "pending/5/00050001.json"]
    assert page.truncated and disk.calls.count("open") == 3


def test_last_modified_and_date_are_the_clock_it_is_given(tmp_path: Path) -> None:
    moments = iter([2_000_000_000.25, 2_000_000_000.25, 2_000_000_007.5, 2_000_000_009.0])
    bucket = FolderBucket(tmp_path, now=lambda: next(moments))
    bucket.create("a", b"")
    head = bucket.head("a")
    assert head is not None and (head.last_modified, head.date) == (2_000_000_000.25, 2_000_000_007.5)
    os.utime(tmp_path / "a@", (0, 0))
    listing = bucket.list("")
    assert (listing.entries[0].last_modified, listing.date) == (2_000_000_000.25, 2_000_000_009.0)


def test_a_download_shows_one_object_even_when_it_is_replaced_meanwhile(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    version = bucket.create(KEY, b"1" * 3_000_000)
    with bucket.download(KEY, offset=10) as chunks:
        assert chunks is not None
        first = next(chunks)
        bucket.replace(KEY, b"2" * 3_000_000, version)
        bucket.delete(KEY)
        assert first + b"".join(chunks) == b"1" * 2_999_990
    with pytest.raises(StopIteration):
        next(chunks)
    assert bucket.get(KEY) is None
