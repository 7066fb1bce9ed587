"""A bucket in this process's memory, for tests, simulations and trying things out.

Invariant: `_keys` is exactly the sorted keys of `_objects`, so that one page of a listing costs O(log n + page)
however many keys there are. The lock guards only dictionary and list steps: nothing is called while it is held, so
threads and greenlets may share a bucket.
"""

from __future__ import annotations

import itertools
import sys
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gpujob.buckets.base import PAGE, Entry, Found, Head, Listing
from gpujob.clock import SYSTEM
from gpujob.errors import LocalDisk, PreconditionFailed

CHUNK_BYTES = 1 << 20
LAST = chr(sys.maxunicode)  # a prefix and this come after every key that begins so


class _Object(NamedTuple):
    body: bytes
    entry: Entry


class MemoryBucket:
    """A bucket that lives as long as this object. Its clock is `now`; its versions never repeat."""

    def __init__(self, now: Callable[[], float] = SYSTEM.now, url: str = "memory://") -> None:
        self._now = now
        self._url = url
        self._objects: dict[str, _Object] = {}
        self._keys: list[str] = []
        self._lock = threading.Lock()
        self._versions = itertools.count(1)

    @property
    def url(self) -> str:
        return self._url

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        found = self._objects.get(key)
        if found is None:
            return None
        body, entry = found
        if max_bytes is not None and len(body) > max_bytes:
            body = body[: max_bytes + 1]
        return Found(entry.version, entry.size_bytes, entry.last_modified, self._now(), body)

    def head(self, key: str) -> Head | None:
        found = self._objects.get(key)
        if found is None:
            return None
        return Head(found.entry.version, found.entry.size_bytes, found.entry.last_modified, self._now())

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        limit = min(limit, PAGE)
        date = self._now()
        with self._lock:
            keys = self._keys
            start = bisect_left(keys, prefix) if after < prefix else bisect_right(keys, after)
            end = bisect_left(keys, prefix + LAST, start) if prefix else len(keys)
            page = keys[start : min(end, start + limit + 1)]
            entries = tuple(self._objects[key].entry for key in page[:limit])
        return Listing(entries, len(page) > limit, date)

    def delete(self, key: str) -> None:
        with self._lock:
            if self._objects.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]

    def create(self, key: str, body: bytes) -> str:
        fresh = self._fresh(key, body)
        with self._lock:
            if key in self._objects:
                raise PreconditionFailed(f"{key} is there already")
            self._place(key, fresh)
        return fresh.entry.version

    def replace(self, key: str, body: bytes, version: str) -> str:
        fresh = self._fresh(key, body)
        with self._lock:
            old = self._objects.get(key)
            if old is None or old.entry.version != version:
                raise PreconditionFailed(f"{key} is {'absent' if old is None else 'at another version'}")
            self._place(key, fresh)
        return fresh.entry.version

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        try:
            body = source.read_bytes()
        except OSError as error:
            raise LocalDisk(f"cannot read {source} to upload it: {error.strerror}") from error
        fresh = self._fresh(key, body)
        with self._lock:
            self._place(key, fresh)

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        found = self._objects.get(key)
        yield None if found is None else _chunks(found.body, offset)

    def _fresh(self, key: str, body: bytes) -> _Object:
        version = f"m{next(self._versions)}"
        return _Object(bytes(body), Entry(key, version, len(body), self._now()))

    def _place(self, key: str, fresh: _Object) -> None:
        if key not in self._objects:
            insort(self._keys, key)
        self._objects[key] = fresh


def _chunks(body: bytes, offset: int) -> Iterator[bytes]:
    for start in range(offset, len(body), CHUNK_BYTES):
        yield body[start : start + CHUNK_BYTES]


_named: dict[str, MemoryBucket] = {}
_named_lock = threading.Lock()


def memory_bucket(name: str) -> MemoryBucket:
    """The bucket behind `memory://name`: one for each name in this process, made at the first call."""
    with _named_lock:
        return _named.setdefault(name, MemoryBucket(url=f"memory://{name}"))
