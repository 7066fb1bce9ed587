"""Presence: one record a worker, written once a minute; an operator's control word comes back by a lost write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal

from gpujob import keys
from gpujob.bounds import MAX_PRESENCE_EVERY_S
from gpujob.errors import CorruptRecord, NotFound, Unavailable, UnsafeName, WrongProtocol
from gpujob.protocol import cleaning
from gpujob.protocol.context import FIRST_PAUSE_S, LONGEST_PAUSE_S, Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.writes import create, replace
from gpujob.records import Presence, decode

Control = Literal["", "drain", "stop"]
DEAD_AFTER = 3.0  # missed writes
WHO_LIVES = "`gpujob worker ls` lists those that live."
MOST_WORKERS = 5000  # are asked for at one look
MOST_KEYS = 20_000  # are listed for them


class PresenceKeeper:
    """Keeps one worker's presence record. `update` returns the control word that the worker has to obey."""

    def __init__(self, ctx: Context, first: Presence) -> None:
        self.ctx = ctx
        self.record = first
        self._version: str | None = None

    def update(self, **changes: Any) -> Control:
        """Writes the record with `changes`; one request unless an operator wrote in between."""
        self.record = self.record.model_copy(update={**changes, "beat": self.record.beat + 1})
        key = keys.worker(self.record.id)
        body = self.record.body()
        if self._version is None:
            write = create(self.ctx.bucket, key, body)
        else:
            write = replace(self.ctx.bucket, key, body, self._version)
        if write.outcome == "won":
            self._version = write.version
        else:
            self._look(key)
        return self.record.control

    def leave(self) -> None:
        """Removes the record: this worker is gone."""
        cleaning.drop(self.ctx, keys.worker(self.record.id))

    def _look(self, key: str) -> None:
        try:
            found = self.ctx.get(key)
            if found is None:
                self._version = None
                return
            self._version = found.version
            standing = decode(Presence, key, found.body)
        except (CorruptRecord, WrongProtocol):
            return
        if standing.session == self.record.session and standing.control:
            self.record = self.record.model_copy(update={"control": standing.control})


def live_workers(ctx: Context) -> list[tuple[Presence, float]]:
    """The workers that wrote lately, each with its record's age in seconds."""
    found = []
    for key, worker_id in islice(_lately(ctx), MOST_WORKERS):
        try:
            object_ = ctx.get(key)
            if object_ is None:
                continue
            presence = decode(Presence, key, object_.body, whose=worker_id)
        except (CorruptRecord, WrongProtocol) as error:
            ctx.skips.note(error)
            continue
        age_s = object_.date - object_.last_modified
        if age_s < presence.every_s * DEAD_AFTER:
            found.append((presence, age_s))
    return found


def _lately(ctx: Context) -> Iterator[tuple[str, str]]:
    """Presence keys with their workers' ids, without those that no worker can have written and still live."""
    for entry in islice(every_entry(ctx, keys.WORKERS), MOST_KEYS):
        worker_id = keys.parse_worker(entry.key)
        if worker_id is not None and ctx.store_now() - entry.last_modified < MAX_PRESENCE_EVERY_S * DEAD_AFTER:
            yield entry.key, worker_id


def command(ctx: Context, worker_id: str, word: Control, give_up: Callable[[], bool]) -> Presence:
    """Writes an operator's control word into a worker's record; it obeys at its next write.

    Raises NotFound, and Unavailable where `give_up()` says so before the word is known to stand there.
    """
    key, pause_s = _key_of(worker_id), FIRST_PAUSE_S
    while True:
        found = ctx.insist(lambda: ctx.get(key), give_up)
        if found is None:
            raise NotFound(f"no worker {worker_id}", hint=WHO_LIVES)
        presence = decode(Presence, key, found.body, whose=worker_id).model_copy(update={"control": word})
        if replace(ctx.bucket, key, presence.body(), found.version).outcome == "won":
            return presence
        again = ctx.insist(lambda: ctx.get(key), give_up)
        if again is not None and decode(Presence, key, again.body).control == word:
            return presence
        if give_up():
            raise Unavailable(
                f"the store did not take the word for worker {worker_id}",
                hint="Is it full? `gpujob doctor --probe` tries writes.",
            )
        ctx.runtime.sleep(pause_s * (0.5 + ctx.rng.random()))
        pause_s = min(LONGEST_PAUSE_S, pause_s * 2)


def _key_of(worker_id: str) -> str:
    try:
        return keys.worker(worker_id)
    except UnsafeName as error:
        raise NotFound(error.message, hint=WHO_LIVES) from None
