"""The folder bucket and the bucket in memory answer every listing alike, whatever the keys, prefixes and pages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpujob.buckets.base import Bucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.memory import MemoryBucket
from tests.sizing import pick

PARTS = st.text(st.sampled_from("aB0-._%é"), min_size=1, max_size=3).filter(lambda part: part not in (".", ".."))
KEYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TEXTS = st.text(st.sampled_from("aB0-._%é/"), max_size=6)


def listed(bucket: Bucket, prefix: str, after: str, limit: int) -> tuple[list[tuple[str, int]], bool]:
    page = bucket.list(prefix, after=after, limit=limit)
    return [(entry.key, entry.size_bytes) for entry in page.entries], page.truncated


@pytest.mark.timeout(600)
@settings(max_examples=pick(quick=60, full=1000), deadline=None)
@given(
    keys=st.lists(KEYS, max_size=12, unique=True),
    gone=st.sets(st.integers(0, 11)),
    asked=st.lists(st.tuples(TEXTS | KEYS, TEXTS | KEYS, st.integers(1, 13)), min_size=1, max_size=12),
)
def test_listings_are_alike(keys: list[str], gone: set[int], asked: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other = FolderBucket(Path(folder)), MemoryBucket()
        for bucket in (one, other):
            for number, key in enumerate(keys):
                bucket.create(key, b"x" * number)
            for number in gone:
                bucket.delete(keys[number] if number < len(keys) else "absent")
        for prefix, after, limit in [("", "", 1000), *asked, *((key[:2], key, 3) for key in keys)]:
            assert listed(one, prefix, after, limit) == listed(other, prefix, after, limit)
