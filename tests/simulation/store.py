"""The bucket of the simulated world: one store, and one view of it for each party, where each request is a step.

Invariant: what a request does to the store is decided at the moment when the policy lets it go; what its sender learns
may be less. A floating request lands later, under its own condition, or never, and may land twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from gpujob.buckets.base import PAGE, Entry, Found, Head, Listing
from gpujob.buckets.memory import MemoryBucket, _Object
from gpujob.errors import BucketError, Busy, PreconditionFailed, Unavailable
from tests.simulation.ledger import Ledger
from tests.simulation.world import AFTER, BUSY, FLOAT, LATE, LOST_SEND, NORMAL, STALE, Float, Party, World

T = TypeVar("T")
_contents: dict[Path, bytes] = {}


class SimStore(MemoryBucket):
    """The one store. Tells the ledger of everything that lands.

    With `by_content` a version is a hash of the body, as an ETag is, so an object that returns to an earlier body
    returns to its version. With `coarse` its clock has whole seconds, as HTTP dates have. With `revives` a
    replace whose condition held may land after a delete and bring the object back, as some stores let it.
    """

    def __init__(
        self, world: World, ledger: Ledger, *, by_content: bool = False, coarse: bool = False, revives: bool = False
    ) -> None:
        super().__init__((lambda: float(int(world.now_s))) if coarse else (lambda: world.now_s), "sim://queue")
        self.world = world
        self.ledger = ledger
        self.ignores_conditions = False
        self._by_content = by_content
        self._revives = revives
        self._past: list[tuple[str, Entry | None]] = []

    def create(self, key: str, body: bytes) -> str:
        if self.ignores_conditions:
            return self.put(key, body)
        return super().create(key, body)

    def replace(self, key: str, body: bytes, version: str) -> str:
        if self.ignores_conditions:
            return self.put(key, body)
        return super().replace(key, body, version)

    def late_replace(self, key: str, body: bytes, version: str) -> Callable[[], str]:
        """What a replace that was sent now does when it lands later."""
        standing = self._objects.get(key)
        holds_now = standing is not None and standing.entry.version == version

        def land() -> str:
            if self._revives and holds_now and key not in self._objects:
                return self.put(key, body)
            return self.replace(key, body, version)

        return land

    def put(self, key: str, body: bytes) -> str:
        """A plain PUT, for the variants that break the protocol."""
        fresh = self._fresh(key, body)
        self._place(key, fresh)
        return fresh.entry.version

    def upload_by(self, writer: str, key: str, source: Path) -> None:
        """A plain upload of a file that never changes."""
        body = _contents.get(source)
        if body is None:
            body = _contents[source] = source.read_bytes()
        self.put(key, body)
        self.ledger.uploaded(key, writer, body)

    def delete(self, key: str) -> None:
        there = key in self._objects
        super().delete(key)
        if there:
            self._past.append((key, None))
            self.ledger.deleted(key, self.world.now_s)

    def stale_list(self, prefix: str, after: str, limit: int, back: int) -> Listing:
        """The answer that a listing would have given `back` writes and deletes ago."""
        then: dict[str, Entry] = {}
        for key, entry in self._past[: max(0, len(self._past) - back)]:
            if entry is None:
                then.pop(key, None)
            else:
                then[key] = entry
        rows = [then[key] for key in sorted(then) if key.startswith(prefix) and key > after]
        return Listing(tuple(rows[:limit]), len(rows) > limit, self._now())

    @property
    def writes(self) -> int:
        """How many writes and deletes have landed."""
        return len(self._past)

    def _fresh(self, key: str, body: bytes) -> _Object:
        fresh = super()._fresh(key, body)
        if self._by_content:
            old = fresh.entry
            fresh = _Object(fresh.body, Entry(key, f"e{hash(body):x}", old.size_bytes, old.last_modified))
        return fresh

    def _place(self, key: str, fresh: _Object) -> None:
        new = key not in self._objects
        super()._place(key, fresh)
        self._past.append((key, fresh.entry))
        self.ledger.wrote(key, fresh.body, self.world.now_s, new)


class SimBucket:
    """One party's connection to the store."""

    def __init__(self, world: World, party: Party, store: SimStore, stale_back: Callable[[int], int]) -> None:
        self.world = world
        self.party = party
        self.store = store
        self._stale_back = stale_back
        self.url = store.url

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        return self._request("get", key, lambda: self.store.get(key, max_bytes=max_bytes))

    def head(self, key: str) -> Head | None:
        return self._request("head", key, lambda: self.store.head(key))

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        def stale() -> Listing:
            return self.store.stale_list(prefix, after, limit, self._stale_back(self.store.writes))

        return self._request("list", prefix, lambda: self.store.list(prefix, after=after, limit=limit), stale)

    def delete(self, key: str) -> None:
        self._request("delete", key, lambda: self.store.delete(key))

    def create(self, key: str, body: bytes) -> str:
        return self._request("create", key, lambda: self.store.create(key, body))

    def replace(self, key: str, body: bytes, version: str) -> str:
        return self._request(
            "replace",
            key,
            lambda: self.store.replace(key, body, version),
            late=lambda: self.store.late_replace(key, body, version),
        )

    def put(self, key: str, body: bytes) -> str:
        """For the variants that break the protocol."""
        return self._request("put", key, lambda: self.store.put(key, body))

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        task = self.world.current
        writer = task.run if task is not None else self.world.lone_run
        self._request("upload", key, lambda: self.store.upload_by(writer, key, source))

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        with self.store.download(key, offset=offset) as chunks:
            yield chunks

    def _request(
        self,
        verb: str,
        key: str,
        call: Callable[[], T],
        stale: Callable[[], T] | None = None,
        late: Callable[[], Callable[[], T]] | None = None,
    ) -> T:
        world = self.world
        if world.quiet:
            return call()
        fate = world.request(verb, key)
        if fate == NORMAL:
            return call()
        return self._fated(fate, verb, key, call, stale or call, late)

    def _fated(
        self,
        fate: int,
        verb: str,
        key: str,
        call: Callable[[], T],
        stale: Callable[[], T],
        late: Callable[[], Callable[[], T]] | None,
    ) -> T:
        if fate == STALE:
            return stale()
        if fate == BUSY:
            raise Busy(f"{verb} {key} was not applied")
        if fate == LATE:
            return self._answered_late(verb, key, call)
        if fate == FLOAT:
            landing = late() if late is not None else call
            self.world.floats.append(Float(f"{verb} {key} of {self.party.name}", _quietly(landing), self.world.now_s))
        elif fate == AFTER:
            _quietly(call)()
        else:
            assert fate in (LOST_SEND, 1)
        raise Unavailable(f"{verb} {key}: nobody knows")

    def _answered_late(self, verb: str, key: str, call: Callable[[], T]) -> T:
        try:
            answer: Any = call()
        except BucketError as error:
            answer = error
        self.world.request(f"answer to {verb}", key)
        if isinstance(answer, BucketError):
            raise answer
        return answer  # type: ignore[no-any-return]


def _quietly(call: Callable[[], Any]) -> Callable[[], None]:
    def land() -> None:
        with suppress(PreconditionFailed):
            call()

    return land
