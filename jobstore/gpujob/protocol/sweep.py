"""The sweep of an idle worker: within a budget of requests it ends what is past its time and cleans what has ended.

A sweeper owns a job before it ends it, through the same claim as any worker, so it can race with nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gpujob import keys
from gpujob.buckets.base import Bucket, Entry
from gpujob.protocol import cleaning
from gpujob.protocol.claim import Claimer, Skipped
from gpujob.protocol.context import Context
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.removal import SETTLED_S, retire
from gpujob.records import Manifest


class Sweeper:
    """Expires and cleans, a few requests at a time; remembers what it has looked at."""

    def __init__(self, ctx: Context, *, worker: str, beats: Bucket) -> None:
        self.ctx = ctx
        self.claimer = Claimer(ctx, worker=worker, beats=beats, serves=_serves_nothing)
        self._until: dict[tuple[str, str], float] = {}
        self._after: dict[str, str] = {}
        self._left = 0

    def sweep(self, budget_requests: int) -> int:
        """One pass over a part of the queue; returns how many jobs it ended or cleaned. Errors pass through."""
        self._left = budget_requests
        return (
            self._visit(keys.LEASED, self._visit_lease)
            + self._visit(keys.PENDING, self._visit_pending)
            + (0 if keys.DONE in self.ctx.kept else self._visit(keys.DONE, self._visit_done))
        )

    def _visit(self, prefix: str, visit: Callable[[Entry, float], bool]) -> int:
        """One page under `prefix`, from where the last sweep stopped."""
        if self._left <= 0:
            return 0
        listing = self.ctx.list(prefix, after=self._after.get(prefix, ""))
        self._left -= 1
        rest = self._after[prefix] = listing.entries[-1].key if listing.truncated else ""
        found = 0
        for entry in listing.entries:
            if self._left <= 0:
                self._after[prefix] = entry.key
                break
            if self._until.get((entry.key, entry.version), -math.inf) <= listing.date:
                self._after[prefix] = entry.key  # where the store fails at this one, the next sweep goes on behind it
                found += visit(entry, listing.date)
                self._after[prefix] = rest
        return found

    def _visit_pending(self, entry: Entry, now: float) -> bool:
        return self._note(entry, self.claimer.claim(entry.key))

    def _visit_lease(self, entry: Entry, now: float) -> bool:
        job_id = keys.parse_job(entry.key, keys.LEASED)
        if job_id is None or now - entry.last_modified < self.ctx.config.ttl_s:
            return False
        self._left -= 1
        if self.ctx.there(keys.done(job_id)):
            return cleaning.drop(self.ctx, entry.key)
        return self._note(entry, self.claimer.take(job_id))

    def _visit_done(self, entry: Entry, now: float) -> bool:
        if now - entry.last_modified < max(SETTLED_S, self.ctx.config.retention_s) or keys.DONE in self.ctx.kept:
            return False  # nearly all of a page: its keys are not worth parsing
        job_id = keys.parse_job(entry.key, keys.DONE)
        if job_id is None:
            return False
        self._left -= 6
        retire(self.ctx, job_id)
        return keys.DONE not in self.ctx.kept  # retention is an operator's where workers may not remove results

    def _note(self, entry: Entry, got: object) -> bool:
        self._left -= 1
        if isinstance(got, HeldLease):
            got.close()  # a sweeper runs nothing: whatever it owns by a whim of the store's clock runs out by itself
            return False
        if isinstance(got, Skipped) and got.until > 0:
            if len(self._until) > 100_000:
                self._until.clear()
            self._until[entry.key, entry.version] = got.until
            return False
        return True


def _serves_nothing(manifest: Manifest) -> bool:
    return False
