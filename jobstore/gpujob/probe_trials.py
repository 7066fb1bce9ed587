"""The probe's single trials: each does one thing to the store and says in a word or two what came of it.

Invariant: a write whose answer was lost, or that was sent twice, is looked up by the nonce in its body; it counts
neither for the store nor against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from gpujob.buckets.base import Bucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random, nonce
from gpujob.clock import Runtime
from gpujob.errors import BucketError, Busy, Configuration, PreconditionFailed, Unavailable

EtagStyle = Literal["quoted", "unquoted"]
Told = Literal["won", "lost", "unknown"]


@runtime_checkable
class HasEtagStyles(Protocol):
    """A bucket whose versions can be sent back in two styles."""

    @property
    def etag_style(self) -> EtagStyle: ...

    def with_etag_style(self, etag_style: EtagStyle) -> Bucket: ...


class Trials:
    """All trials of one run, under `probe/<nonce>/`. `bucket` is in the version style that worked, and retries."""

    def __init__(self, bucket: Bucket, runtime: Runtime, rng: Random) -> None:
        while isinstance(bucket, RetryingBucket):
            bucket = bucket.inner
        self._bare = bucket
        self.bucket = RetryingBucket(bucket, runtime, rng)
        self._runtime = runtime
        self._rng = rng
        self._folder = f"probe/{nonce(rng)}/"
        self._keys: list[str] = []

    @property
    def etag_style(self) -> EtagStyle:
        """The style that the bucket sends versions in."""
        return self._bare.etag_style if isinstance(self._bare, HasEtagStyles) else "quoted"

    def create_absent(self) -> str:
        key, body = self.key("one"), self.body()
        return "created" if self.created(key, body) and self.holds(key, body) else "refused"

    def create_present(self) -> str:
        key, body = self.placed("two")
        return self.refusal(key, body, self.created(key, self.body()))

    def same_version(self) -> str:
        key = self.key("three")
        try:
            written = self.bucket.create(key, self.body())
        except PreconditionFailed:
            return "a refusal"
        found, head = self.bucket.get(key), self.bucket.head(key)
        seen = [written, found and found.version, head and head.version]
        return "the same" if len(set(seen)) == 1 else f"PUT {seen[0]}, GET {seen[1]}, HEAD {seen[2]}"

    def replace_current(self) -> str:
        """Quoted first, then unquoted; the bucket goes on in the style that worked."""
        if self.replaces_current():
            return "replaced"
        if not isinstance(self._bare, HasEtagStyles):
            return "refused"
        second: EtagStyle = "unquoted" if self.etag_style == "quoted" else "quoted"
        self._bare = self._bare.with_etag_style(second)
        self.bucket = RetryingBucket(self._bare, self._runtime, self._rng)
        return f"replaced, with the {second} version only" if self.replaces_current() else "refused in both styles"

    def replaces_current(self) -> bool:
        key, _ = self.placed("four")
        body = self.body()
        return self.replaced(key, body, self.version(key)) and self.holds(key, body)

    def replace_stale(self) -> str:
        key, _ = self.placed("five")
        stale, body = self.version(key), self.body()
        if not self.replaced(key, body, stale):
            return "the change before it was refused"
        return self.refusal(key, body, self.replaced(key, self.body(), stale))

    def replace_missing(self) -> str:
        key, _ = self.placed("six")
        version = self.version(key)
        self.bucket.delete(key)
        done = self.replaced(key, self.body(), version)
        there = self.bucket.get(key) is not None
        return "refused" if not done and not there else "created" if there else "not there, yet it says replaced"

    def create_again(self) -> str:
        key, _ = self.placed("seven")
        self.bucket.delete(key)
        body = self.body()
        return "created" if self.created(key, body) and self.holds(key, body) else "refused"

    # What the trials and the races are made of.

    def key(self, name: str) -> str:
        """A key that no other trial uses; `clean_up` removes what is put there."""
        key = f"{self._folder}{len(self._keys):03d}-{name}"
        self._keys.append(key)
        return key

    def body(self) -> bytes:
        return b'{"nonce": "%s"}' % nonce(self._rng).encode()

    def placed(self, name: str) -> tuple[str, bytes]:
        """A fresh object for the check at hand."""
        key, body = self.key(name), self.body()
        self.created(key, body)
        return key, body

    def created(self, key: str, body: bytes) -> bool:
        return self.won(key, body, lambda: self.bucket.create(key, body))

    def replaced(self, key: str, body: bytes, version: str) -> bool:
        return self.won(key, body, lambda: self.bucket.replace(key, body, version))

    def won(self, key: str, body: bytes, write: Callable[[], str]) -> bool:
        """Whether the store took the write. An answer that was lost is read back; if that tells nothing, nobody can."""
        told = self.told(write)
        if told == "unknown" and not self.holds(key, body):
            raise Unavailable(f"The store at {self.bucket.url} gave no clear answer to the probe.", hint="Try again.")
        return told != "lost"

    def told(self, write: Callable[[], str]) -> Told:
        """What the store says of one write."""
        try:
            write()
        except PreconditionFailed:
            return "lost"
        except (Busy, Unavailable):
            return "unknown"
        return "won"

    def version(self, key: str) -> str:
        head = self.bucket.head(key)
        return head.version if head else "missing"

    def found(self, key: str) -> bytes | None:
        found = self.bucket.get(key)
        return found.body if found else None

    def holds(self, key: str, body: bytes) -> bool:
        return self.found(key) == body

    def refusal(self, key: str, before: bytes, taken: bool) -> str:
        unchanged = self.holds(key, before)
        if taken:
            return "taken, and nothing changed" if unchanged else "overwritten"
        return "refused" if unchanged else "said refused, yet the body changed"

    def clean_up(self) -> None:
        """Removes everything, or as much as can be: scratch that stays harms nobody, and `gc` finds it."""
        for key in self._keys:
            try:
                self.bucket.delete(key)
            except (BucketError, Configuration):
                return
