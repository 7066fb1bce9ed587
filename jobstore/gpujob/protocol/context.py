"""What every operation needs: the bucket, time, chance, the queue's configuration, and who this party is.

The store's clock is known only from the store's answers; between them it is carried on by the local steady clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gpujob.buckets.base import Bucket, Found, Head, Listing
from gpujob.chance import Random, nonce
from gpujob.clock import Runtime
from gpujob.errors import Busy, CorruptRecord, Unavailable
from gpujob.protocol.skipping import Skips
from gpujob.records import MAX_RECORD_BYTES, QueueConfig
from gpujob.signing.identity import NOBODY, Identity

log = logging.getLogger("gpujob")
T = TypeVar("T")

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


@dataclass
class Context:
    """One party's view of a queue."""

    bucket: Bucket
    runtime: Runtime
    rng: Random
    config: QueueConfig = field(default_factory=QueueConfig)
    identity: Identity = NOBODY
    skips: Skips = field(default_factory=Skips)
    kept: set[str] = field(default_factory=set)  # the folders in which this party's role may not delete
    _date: float | None = None
    _date_at: float = 0.0

    def nonce(self) -> str:
        """A fresh nonce."""
        return nonce(self.rng)

    def store_now(self) -> float:
        """The store's clock: its last answer's Date, carried on locally. The local wall clock before the first answer."""
        if self._date is None:
            return self.runtime.now()
        return self._date + (self.runtime.elapsed() - self._date_at)

    def observe(self, date: float) -> None:
        """Notes the Date of an answer that has just come."""
        self._date, self._date_at = date, self.runtime.elapsed()

    def get(self, key: str) -> Found | None:
        """`Bucket.get` of no more than a record may have, noting the store's time."""
        found = self.bucket.get(key, max_bytes=MAX_RECORD_BYTES)
        if found is not None:
            self.observe(found.date)
        return found

    def head(self, key: str) -> Head | None:
        """`Bucket.head`, noting the store's time."""
        head = self.bucket.head(key)
        if head is not None:
            self.observe(head.date)
        return head

    def there(self, key: str) -> bool:
        """Whether an object is there, be it one that the store hands out to nobody."""
        try:
            return self.head(key) is not None
        except CorruptRecord:
            return True

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> Listing:
        """`Bucket.list`, noting the store's time."""
        listing = self.bucket.list(prefix, after=after, limit=limit)
        self.observe(listing.date)
        return listing

    def insist(self, read: Callable[[], T], give_up: Callable[[], bool]) -> T:
        """The answer of a read, asked again with backoff while the store fails, until `give_up()`; then `Unavailable`."""
        pause_s = FIRST_PAUSE_S
        failure: Unavailable | Busy
        while True:
            try:
                return read()
            except (Unavailable, Busy) as error:
                failure = error
            if not give_up():
                self.runtime.sleep(pause_s * (0.5 + self.rng.random()))
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            if give_up():  # asked again: what was waited for may have taken an hour of sleep
                raise Unavailable(failure.message, hint=failure.hint) from failure

    def patience(self, seconds: float) -> Callable[[], bool]:
        """A `give_up` that says yes once `seconds` have passed from now."""
        until = self.runtime.elapsed() + seconds
        return lambda: self.runtime.elapsed() >= until
