"""Keeps a process from writing one object of Google Cloud Storage twice within a second.

Google takes one change of an object (create, replace, delete) a second and answers 429 to more. A write that is put off
and sent again may come to an unknown end, so it is better not to be put off: a second change waits its turn here.

Invariant: waiting changes when a request is sent, never whether or how often.
Source: https://cloud.google.com/storage/quotas#objects
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gpujob.clock import Runtime
from gpujob.errors import PreconditionFailed

INTERVAL_S = 1.0
MANY = 1000  # names remembered before those that are free again are forgotten


class Pace:
    """When this process last changed which object; one for all connections to a bucket."""

    def __init__(self, runtime: Runtime, interval_s: float = INTERVAL_S) -> None:
        self._runtime = runtime
        self._interval_s = interval_s
        self._lock = runtime.lock()
        self._changed: dict[str, float] = {}

    @contextmanager
    def change_of(self, key: str) -> Iterator[None]:
        """Waits until `key` may be changed; what is sent inside counts as a change, unless its condition failed."""
        wait_s = self._left_s(key)
        if wait_s > 0:
            self._runtime.sleep(wait_s)
        try:
            yield
        except PreconditionFailed:
            raise
        except BaseException:
            self._note(key)  # put off because of somebody else's change, or done and nobody knows
            raise
        else:
            self._note(key)

    def _left_s(self, key: str) -> float:
        with self._lock:
            changed = self._changed.get(key)
        return 0.0 if changed is None else changed + self._interval_s - self._runtime.elapsed()

    def _note(self, key: str) -> None:
        now = self._runtime.elapsed()
        with self._lock:
            if len(self._changed) >= MANY:
                self._changed = {name: at for name, at in self._changed.items() if now - at < self._interval_s}
            self._changed[key] = now
