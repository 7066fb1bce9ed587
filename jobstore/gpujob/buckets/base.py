"""The five verbs that the protocol needs from a store, and nothing else.

    get (or head), list, delete, create (put if absent), replace (put if version matches)

and, for artifacts and inputs only, a plain `upload` and a streamed `download`. A version is an opaque token: the
ETag on S3, the generation on Google Cloud Storage. All times are the store's own, in seconds since 1970.

One call is one request; no verb here retries. What a verb raises beside its answer:
`PreconditionFailed` (create, replace), `Busy`, `Unavailable`, `Denied`, `NoSuchBucket` (see `gpujob.errors`), and
`CorruptRecord` (get, head, download) for one object that is there and that the store hands out to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

PAGE = 1000  # keys in one answer to a LIST, at most


@dataclass(frozen=True, slots=True)
class Head:
    """An object without its body. `last_modified` and `date` come from one answer of the store's clock."""

    version: str
    size_bytes: int
    last_modified: float
    date: float


@dataclass(frozen=True, slots=True)
class Found(Head):
    """An object with its body."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of a listing."""

    key: str
    version: str
    size_bytes: int
    last_modified: float


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of keys in ascending order; `truncated` when there are more after the last one, so never without one."""

    entries: tuple[Entry, ...]
    truncated: bool
    date: float


@runtime_checkable
class Bucket(Protocol):
    """A place for objects under keys. Keys here are relative: a prefix in the store's URL is the bucket's own affair."""

    @property
    def url(self) -> str:
        """The store's URL without secrets, for messages."""
        ...

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        """The object, or None where there is none. A body longer than `max_bytes` is cut after `max_bytes + 1` bytes."""
        ...

    def head(self, key: str) -> Head | None:
        """The object without its body, or None where there is none."""
        ...

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        """Keys that start with `prefix` and sort after `after`, ascending; `limit` at most."""
        ...

    def delete(self, key: str) -> None:
        """Removes the object; a missing one is no error."""
        ...

    def create(self, key: str, body: bytes) -> str:
        """Puts the object if the key is absent and returns its version; else `PreconditionFailed`."""
        ...

    def replace(self, key: str, body: bytes, version: str) -> str:
        """Puts the object if its version is still `version` and returns the new one; else `PreconditionFailed`."""
        ...

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        """Puts a file's bytes under `key`, whatever is there. For artifacts and inputs only."""
        ...

    def download(self, key: str, *, offset: int = 0) -> AbstractContextManager[Iterator[bytes] | None]:
        """The object's bytes from `offset` on, in chunks; None where there is no such object."""
        ...
