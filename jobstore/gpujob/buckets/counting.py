"""Counts requests by verb and key prefix: the bill, as a decorator.

Invariant: a request is counted when it is sent, whatever becomes of it, since a refused or failed one is billed too.
Placed inside a retrying bucket it counts each send; placed outside, each call.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from gpujob.buckets.base import Bucket
from gpujob.buckets.wrapped import WrappedBucket

T = TypeVar("T")

Counts = Counter[tuple[str, str]]

BILLED_AS: Mapping[str, str] = {
    "create": "put",
    "replace": "put",
    "upload": "put",
    "get": "get",
    "head": "get",
    "download": "get",
    "list": "list",
    "delete": "delete",
}


class CountingBucket(WrappedBucket):
    """`counts[verb, prefix]` is the number of requests so far; the prefix is the key up to its first slash."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)
        self.counts: Counts = Counter()
        self._lock = threading.Lock()

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        prefix = key.partition("/")[0]
        with self._lock:
            self.counts[verb, prefix] += 1
        return call()

    def snapshot(self) -> Counts:
        """A copy of the counts as they are now."""
        with self._lock:
            return Counter(self.counts)

    def since(self, earlier: Counts) -> Counts:
        """What was counted after `earlier`, a snapshot, was taken."""
        return self.snapshot() - earlier

    def billed(self, earlier: Counts | None = None) -> Counter[str]:
        """The requests by billed class, put, get, list or delete; all, or those after the snapshot `earlier`."""
        return billed(self.since(earlier or Counter()))


def billed(counts: Counts) -> Counter[str]:
    """Counts by verb and prefix, summed up by billed class: put, get, list or delete."""
    classes: Counter[str] = Counter()
    for (verb, _), number in counts.items():
        classes[BILLED_AS[verb]] += number
    return classes
