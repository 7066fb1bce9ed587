"""The shape of every bucket decorator: all verbs pass through one method.

Invariant: each verb of the protocol is exactly one call of `_request`, with the verb's name and its key (the prefix
for `list`), so that a decorator overrides one method and can forget no verb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from gpujob.buckets.base import PAGE, Bucket, Found, Head, Listing

T = TypeVar("T")

CONDITIONAL = frozenset({"create", "replace"})


class WrappedBucket:
    """A bucket that hands every verb on to `inner`; subclasses say what happens around the call."""

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        return call()

    @property
    def url(self) -> str:
        return self.inner.url

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        return self._request("get", key, lambda: self.inner.get(key, max_bytes=max_bytes))

    def head(self, key: str) -> Head | None:
        return self._request("head", key, lambda: self.inner.head(key))

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        return self._request("list", prefix, lambda: self.inner.list(prefix, after=after, limit=limit))

    def delete(self, key: str) -> None:
        return self._request("delete", key, lambda: self.inner.delete(key))

    def create(self, key: str, body: bytes) -> str:
        return self._request("create", key, lambda: self.inner.create(key, body))

    def replace(self, key: str, body: bytes, version: str) -> str:
        return self._request("replace", key, lambda: self.inner.replace(key, body, version))

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        return self._request("upload", key, lambda: self.inner.upload(key, source, media_type=media_type))

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        """Only the opening is a `_request`; what happens to the stream afterwards is the caller's to handle."""
        with ExitStack() as stack:
            yield self._request("download", key, lambda: stack.enter_context(self.inner.download(key, offset=offset)))
