"""The imitation's objects: generations, conditions, and one change of a name a second.

Invariant: a change looks at its condition and happens under one lock, so of many writers exactly one can win.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.google.requests import Refused

TOO_OFTEN = (
    "The object exceeded the rate limit for object mutation operations (create, update, and delete). Please reduce your "
    "request rate."
)


@dataclass(frozen=True)
class Stored:
    """One object."""

    body: bytes = field(repr=False)
    generation: int
    written: float
    media_type: str
    encoding: str = ""

    @property
    def md5(self) -> bytes:
        return hashlib.md5(self.body).digest()

    @property
    def etag(self) -> str:
        """As of S3: what a client must not take for a version."""
        return f'"{self.md5.hex()}"'

    def headers(self) -> dict[str, str]:
        return {
            "ETag": self.etag,
            "x-goog-generation": str(self.generation),
            "x-goog-metageneration": "1",
            "x-goog-hash": f"md5={base64.b64encode(self.md5).decode()}",
            "X-Goog-Hash": "crc32c=AAAAAA==",  # a second line of that name; this one is not computed, for nobody reads it
            "x-goog-stored-content-length": str(len(self.body)),
            "x-goog-stored-content-encoding": self.encoding or "identity",
            "x-goog-storage-class": "STANDARD",
        }


class Turnstile:
    """Lets one change of a name pass in `interval_s` of `clock`; 0 lets all pass."""

    def __init__(self, interval_s: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval_s, self.clock = interval_s, clock
        self.put_off = 0
        self._changed: dict[Hashable, float] = {}

    def check(self, name: Hashable) -> None:
        if name in self._changed and self.clock() - self._changed[name] < self.interval_s:
            self.put_off += 1
            raise Refused(429, "SlowDown", TOO_OFTEN)

    def note(self, name: Hashable) -> None:
        self._changed[name] = self.clock()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lets all pass for as long as the block lasts."""
        self.interval_s, before = 0.0, self.interval_s
        try:
            yield
        finally:
            self.interval_s = before


class Objects:
    """What is in one bucket."""

    def __init__(self, now: Callable[[], float], turnstile: Turnstile, *, busy_first: bool) -> None:
        self._now, self._turnstile, self._busy_first = now, turnstile, busy_first
        self._lock = threading.Lock()
        self._generations = itertools.count(int(time.time() * 1e6))
        self._stored: dict[str, Stored] = {}

    def get(self, name: str) -> Stored | None:
        with self._lock:
            return self._stored.get(name)

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._stored)

    def put(self, name: str, body: bytes, media_type: str, generation: int | None, encoding: str = "") -> Stored:
        with self._lock:
            self._let_pass(name, generation)
            fresh = Stored(body, next(self._generations), self._now(), media_type, encoding)
            self._stored[name] = fresh
            self._turnstile.note((id(self), name))
            return fresh

    def delete(self, name: str, generation: int | None) -> None:
        with self._lock:
            if name not in self._stored:
                raise Refused(404, "NoSuchKey", "The specified key does not exist.")
            self._let_pass(name, generation)
            del self._stored[name]
            self._turnstile.note((id(self), name))

    def slip_in(self, name: str, body: bytes, encoding: str = "") -> None:
        """A back door for tests: no turnstile, no condition."""
        with self._lock:
            self._stored[name] = Stored(body, next(self._generations), self._now(), "application/json", encoding)

    def clear(self, prefix: str) -> None:
        with self._lock:
            self._stored = {name: one for name, one in self._stored.items() if not name.startswith(prefix)}

    def _let_pass(self, name: str, generation: int | None) -> None:
        if self._busy_first:
            self._turnstile.check((id(self), name))
        there = self._stored[name].generation if name in self._stored else 0
        if generation is not None and generation != there:
            raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        self._turnstile.check((id(self), name))
