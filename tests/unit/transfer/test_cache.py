"""The step cache: a hit is the very payload; everything else is a miss, never a failure."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path

import pytest

from gpujob import cache
from gpujob.buckets.failing import FailingBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.cache import BucketStepCache, digest_of
from tests.unit.transfer.parts import put

KEY = {"text": "Hello", "voice": "af_heart", "speed": 1.0}


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "payload.wav"
    path.write_bytes(b"sound" * 1000)
    return path


def keys_of(bucket: MemoryBucket) -> tuple[str, str]:
    """The keys of the only entry and the only payload."""
    entry, payload = sorted((row.key for row in bucket.list("cache/").entries), key=lambda key: key.endswith(".bin"))
    return entry, payload


def test_a_step_comes_back(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {"samples": 24000})
    target = tmp_path / "out.wav"
    assert BucketStepCache(bucket).get(dict(reversed(KEY.items())), target) == {"samples": 24000}
    assert target.read_bytes() == payload.read_bytes()


def test_another_step_is_a_miss(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {})
    assert BucketStepCache(bucket).get({**KEY, "speed": 1.1}, tmp_path / "out.wav") is None
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize(
    "damage", [b"", b"not json", b"{}", b'{"protocol":1,"sha256":"x","size_bytes":1}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_corrupt_entry_is_a_miss_with_a_line_and_heals(
    tmp_path: Path, payload: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = MemoryBucket()
    steps = BucketStepCache(bucket)
    steps.put(KEY, payload, {"samples": 1})
    put(bucket, keys_of(bucket)[0], damage)
    with caplog.at_level(logging.WARNING, "gpujob"):
        assert steps.get(KEY, tmp_path / "out.wav") is None
    assert len(caplog.records) == 1
    steps.put(KEY, payload, {"samples": 1})
    assert steps.get(KEY, tmp_path / "out.wav") == {"samples": 1}


@pytest.mark.parametrize("damage", [b"noise" * 1000, b"sound" * 999, b"sound" * 1001, b""])
def test_a_poisoned_payload_is_a_miss_and_heals(tmp_path: Path, payload: Path, damage: bytes) -> None:
    bucket = MemoryBucket()
    steps = BucketStepCache(bucket)
    steps.put(KEY, payload, {"samples": 1})
    put(bucket, keys_of(bucket)[1], damage)
    target = tmp_path / "out.wav"
    assert steps.get(KEY, target) is None
    assert sorted(os.listdir(tmp_path)) == ["payload.wav"]
    steps.put(KEY, payload, {"samples": 1})
    assert steps.get(KEY, target) == {"samples": 1}
    assert target.read_bytes() == payload.read_bytes()


def test_a_missing_payload_is_a_miss(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    steps = BucketStepCache(bucket)
    steps.put(KEY, payload, {})
    bucket.delete(keys_of(bucket)[1])
    assert steps.get(KEY, tmp_path / "out.wav") is None


def test_an_entry_of_a_later_protocol_is_a_miss(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    steps = BucketStepCache(bucket)
    steps.put(KEY, payload, {})
    entry = keys_of(bucket)[0]
    standing = bucket.get(entry)
    assert standing is not None
    put(bucket, entry, standing.body.replace(b'"protocol":1', b'"protocol":2'))
    assert steps.get(KEY, tmp_path / "out.wav") is None


def test_the_first_entry_stays(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {"from": "first"})
    payload.write_bytes(b"other")
    BucketStepCache(bucket).put(KEY, payload, {"from": "second"})
    assert BucketStepCache(bucket).get(KEY, tmp_path / "out.wav") == {"from": "first"}


def test_refresh_misses_and_renews(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {"from": "first"})
    payload.write_bytes(b"other")
    fresh = BucketStepCache(bucket, "refresh")
    assert fresh.get(KEY, tmp_path / "out.wav") is None
    fresh.put(KEY, payload, {"from": "second"})
    assert BucketStepCache(bucket).get(KEY, tmp_path / "out.wav") == {"from": "second"}
    assert (tmp_path / "out.wav").read_bytes() == b"other"


def test_off_neither_reads_nor_writes(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket, "off").put(KEY, payload, {})
    assert bucket.list("").entries == ()
    BucketStepCache(bucket).put(KEY, payload, {})
    assert BucketStepCache(bucket, "off").get(KEY, tmp_path / "out.wav") is None


def test_store_trouble_is_a_miss_and_no_failure(tmp_path: Path, payload: Path) -> None:
    broken = FailingBucket(MemoryBucket(), random.Random(1), rate_before=1.0)
    BucketStepCache(broken).put(KEY, payload, {})
    assert BucketStepCache(broken).get(KEY, tmp_path / "out.wav") is None
    assert sum(broken.faults.values()) >= 2


def test_a_stream_that_breaks_is_a_miss(tmp_path: Path, payload: Path) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {})
    breaking = FailingBucket(bucket, random.Random(1), rate_broken=1.0)
    assert BucketStepCache(breaking).get(KEY, tmp_path / "out.wav") is None
    assert os.listdir(tmp_path) == ["payload.wav"]


def test_what_is_too_large_is_not_kept(payload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_PAYLOAD_BYTES", 4999)
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, {})
    assert bucket.list("").entries == ()


@pytest.mark.parametrize("facts", [{"x": "y" * 70_000}, {"x": object()}])
def test_facts_that_do_not_fit_are_not_kept(payload: Path, facts: dict[str, object]) -> None:
    bucket = MemoryBucket()
    BucketStepCache(bucket).put(KEY, payload, facts)
    assert bucket.list("").entries == ()


def test_a_missing_payload_file_is_no_failure(tmp_path: Path) -> None:
    BucketStepCache(MemoryBucket()).put(KEY, tmp_path / "none", {})


def test_equal_keys_have_one_address_and_others_have_not() -> None:
    assert digest_of({"a": 1, "b": [1, "é"]}) == digest_of({"b": [1, "é"], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
