"""The bucket in memory keeps the contract; beyond it: names shared in a process, and speed with many keys."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gpujob.buckets.memory import MemoryBucket, memory_bucket
from gpujob.errors import LocalDisk
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from tests.contract.back_doors import MemoryBackDoor


class TestMemoryBucket(BucketContract):
    @pytest.fixture
    def bucket(self) -> MemoryBucket:
        return MemoryBucket()

    @pytest.fixture
    def back_door(self, bucket: MemoryBucket) -> BackDoor:
        return MemoryBackDoor(bucket)

    def test_keys_and_objects_agree(self, bucket: MemoryBucket) -> None:
        for number in range(200):
            bucket.create(f"k{number * 37 % 200:03d}", b"")
            if number % 3 == 0:
                bucket.delete(f"k{number * 37 % 200:03d}")
        assert bucket._keys == sorted(bucket._objects)


def test_its_clock_is_the_one_it_is_given() -> None:
    ticks = itertools.count(1000)
    bucket = MemoryBucket(now=lambda: float(next(ticks)))
    bucket.create("a", b"")
    head = bucket.head("a")
    assert head is not None and (head.last_modified, head.date) == (1000, 1001)
    listing = bucket.list("")
    assert (listing.entries[0].last_modified, listing.date) == (1000, 1002)


def test_a_name_stands_for_one_bucket_in_a_process() -> None:
    memory_bucket("contract-one").create("a", b"1")
    assert memory_bucket("contract-one").head("a") is not None
    assert memory_bucket("contract-two").head("a") is None
    assert memory_bucket("contract-one").url == "memory://contract-one"


def test_a_body_is_a_copy() -> None:
    body = bytearray(b"before")
    bucket = MemoryBucket()
    bucket.create("a", body)  # type: ignore[arg-type]
    body[:] = b"after!"
    found = bucket.get("a")
    assert found is not None and found.body == b"before"


def test_uploading_a_missing_file_is_said(tmp_path: Path) -> None:
    bucket = MemoryBucket()
    with pytest.raises(LocalDisk, match=r"cannot read .*missing\.wav"):
        bucket.upload("a", tmp_path / "missing.wav")
    assert bucket.head("a") is None


class CountedText(str):
    """A key that counts how often it is compared."""

    __slots__ = ()
    compared = 0

    def __lt__(self, other: str) -> bool:
        CountedText.compared += 1
        return str.__lt__(self, other)

    def __gt__(self, other: str) -> bool:
        CountedText.compared += 1
        return str.__gt__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)


def test_a_page_among_100_000_keys_looks_at_few_of_them() -> None:
    bucket = MemoryBucket()
    bucket._keys = [CountedText(f"pending/5/{number:06d}") for number in range(100_000)]
    bucket._objects = {key: bucket._fresh(key, b"") for key in bucket._keys}
    CountedText.compared = 0
    listing = bucket.list("pending/5/", after="pending/5/050000", limit=10)
    assert [entry.key for entry in listing.entries][:2] == ["pending/5/050001", "pending/5/050002"]
    assert listing.truncated and 10 < CountedText.compared < 100
