"""What the transfer tests share: a bucket that can be told to misbehave, and artifacts in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Unavailable
from gpujob.records import Artifact

JOB = "01k8xq3v0000000000000000a0"
PREFIX = f"artifacts/{JOB}/1-{'a' * 32}/"


class Recorded(MemoryBucket):
    """A memory bucket that notes its downloads, hands out small chunks and breaks streams when told to."""

    def __init__(self, chunk_bytes: int = 1000) -> None:
        super().__init__()
        self.chunk_bytes = chunk_bytes
        self.opened: list[tuple[str, int]] = []
        self.break_after: list[int] = []  # chunks after which the next streams break

    def download(self, key: str, *, offset: int = 0) -> AbstractContextManager[Iterator[bytes] | None]:
        self.opened.append((key, offset))
        return self._download(key, offset)

    @contextmanager
    def _download(self, key: str, offset: int) -> Iterator[Iterator[bytes] | None]:
        found = self.get(key)
        limit = self.break_after.pop(0) if self.break_after else None
        yield None if found is None else self._chunks(found.body[offset:], limit)

    def _chunks(self, body: bytes, limit: int | None) -> Iterator[bytes]:
        for number, start in enumerate(range(0, len(body), self.chunk_bytes)):
            if number == limit:
                raise Unavailable("the connection broke")
            yield body[start : start + self.chunk_bytes]


def put(bucket: MemoryBucket, key: str, body: bytes) -> None:
    """Puts `body` under `key`, whatever is there."""
    standing = bucket.head(key)
    if standing is None:
        bucket.create(key, body)
    else:
        bucket.replace(key, body, standing.version)


def artifact(bucket: MemoryBucket, name: str, body: bytes, *, key: str | None = None) -> Artifact:
    """An artifact of that name and body, in the bucket under a harmless key."""
    key = key or f"{PREFIX}{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}"
    put(bucket, key, body)
    return named(name, key, body)


def named(name: str, key: str, body: bytes) -> Artifact:
    """What a result says of an artifact."""
    return Artifact(
        name=name,
        key=key,
        media_type="application/octet-stream",
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
