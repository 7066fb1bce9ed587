"""Claim and take: how a worker comes to own a job, and what it does first when it does.

A claim that may or may not have landed is left alone: if it did land, it expires and counts as a loss. The look at
done/ comes strictly after the lease is owned, for only then can nobody finish the job unseen in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gpujob import keys
from gpujob.buckets.base import Bucket, Found
from gpujob.decisions import condemned, first_lease, judge, look_again_at, taken, worker_lost
from gpujob.errors import Busy, CorruptRecord, LeaseLost, Unavailable, WrongProtocol
from gpujob.keys import PendingKey
from gpujob.protocol import cleaning
from gpujob.protocol.context import Context, log
from gpujob.protocol.finish import commit
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.protocol.writes import create, replace
from gpujob.records import EndState, Hint, JobError, Lease, Manifest, Result, decode, is_hint, waiting_job

NEVER = math.inf


@dataclass(frozen=True)
class Skipped:
    """Nothing to run here now; not before the store moment `until` for this very version of the object.

    `waits` where the job is one that this worker could run from then on, `absent` where there is no such object: the
    listing that showed it lags.
    """

    until: float = 0.0
    waits: bool = False
    absent: bool = False


GONE = Skipped()
ABSENT = Skipped(absent=True)


@dataclass(frozen=True)
class _Unsure:
    """A claim of ours whose outcome nobody could tell: if it is met again, it is ours."""

    lease: Lease
    started_s: float
    fatal: JobError | None


class Claimer:
    """Claims jobs for one worker. `serves` says whether it can run a manifest at all."""

    def __init__(
        self, ctx: Context, *, worker: str, beats: Bucket, serves: Callable[[Manifest], bool] = lambda _: True
    ) -> None:
        self.ctx = ctx
        self.worker = worker
        self.beats = beats
        self.serves = serves
        self._unsure: dict[str, _Unsure] = {}

    def claim(self, key: str) -> HeldLease | Skipped:
        """Owns the job behind a pending key, or says why not."""
        where = keys.parse_pending(key)
        if where is None:
            return Skipped(NEVER)
        try:
            found = self.ctx.get(key)
            return ABSENT if found is None else self._claim_found(key, where, found)
        except (CorruptRecord, WrongProtocol) as error:
            self.ctx.skips.note(error)
            return Skipped(NEVER)

    def _claim_found(self, key: str, where: PendingKey, found: Found) -> HeldLease | Skipped:
        if is_hint(found.body):
            hint = decode(Hint, key, found.body)
            if found.date < min(hint.not_before, hint.expires_at):
                return Skipped(min(hint.not_before, hint.expires_at), waits=True)
            return self.take(where.id, listed=key)
        manifest = waiting_job(key, found.body, where)
        expires_at = self.ctx.identity.lives_until(manifest, found.last_modified + manifest.ttl_s)
        if not self.serves(manifest) and found.date < expires_at:
            return Skipped(expires_at)
        return self._create_lease(key, manifest, found)

    def _create_lease(self, key: str, manifest: Manifest, found: Found) -> HeldLease | Skipped:
        config = self.ctx.config
        lease = first_lease(
            manifest,
            worker=self.worker,
            nonce=self.ctx.nonce(),
            ttl_s=config.ttl_s,
            beat_s=config.beat_s,
            first_seen=found.last_modified,
            now=found.date,
        )
        lease = self.ctx.identity.believed(lease)
        started_s = self.ctx.runtime.elapsed()
        write = create(self.ctx.bucket, keys.leased(lease.id), lease.body())
        if write.outcome == "won":
            return self.own(lease, write.version, started_s)
        if write.outcome == "lost":
            return self.take(lease.id, listed=key)
        return self._look_after_claim(lease, started_s)

    def take(self, job_id: str, *, listed: str | None = None) -> HeldLease | Skipped:
        """Owns the job behind a lease that expired or is due. `listed` is the pending key that led here, if one did."""
        try:
            found = self.ctx.get(keys.leased(job_id))
            if found is None:
                if listed is not None and self.ctx.there(keys.done(job_id)):
                    cleaning.drop(self.ctx, listed)
                return GONE
            lease = self.ctx.identity.believed(decode(Lease, keys.leased(job_id), found.body, whose=job_id))
            return self._take_found(lease, found, listed)
        except (CorruptRecord, WrongProtocol) as error:
            self.ctx.skips.note(error)
            return Skipped(NEVER)

    def _take_found(self, lease: Lease, found: Found, listed: str | None) -> HeldLease | Skipped:
        unsure = self._unsure.pop(lease.id, None)
        if unsure is not None and lease.nonce == unsure.lease.nonce and lease.state == "run":
            return self.own(unsure.lease, found.version, unsure.started_s, fatal=unsure.fatal)
        verdict = judge(lease, found.last_modified, found.date)
        if verdict == "fresh" and listed is not None:
            cleaning.drop(self.ctx, listed)
        if verdict in ("fresh", "not_due"):
            return Skipped(look_again_at(lease, found.last_modified), waits=verdict == "not_due")
        if not self.serves(lease.manifest) and found.date < lease.expires_at and verdict == "take":
            return Skipped(lease.expires_at)
        return self._replace_lease(lease, found, give_up=verdict == "give_up")

    def _replace_lease(self, lease: Lease, found: Found, *, give_up: bool) -> HeldLease | Skipped:
        nonce = self.ctx.nonce()
        if give_up:
            mine = condemned(lease, worker=self.worker, nonce=nonce, now=found.date)
        else:
            config = self.ctx.config
            mine = taken(
                lease, worker=self.worker, nonce=nonce, ttl_s=config.ttl_s, beat_s=config.beat_s, now=found.date
            )
        started_s = self.ctx.runtime.elapsed()
        write = replace(self.ctx.bucket, keys.leased(lease.id), mine.body(), found.version)
        if write.outcome == "lost":
            return GONE
        error = worker_lost(lease, named=not self.ctx.identity.careful) if give_up else None
        if write.outcome == "won":
            return self.own(mine, write.version, started_s, fatal=error)
        return self._look_after_claim(mine, started_s, fatal=error)

    def _look_after_claim(self, mine: Lease, started_s: float, fatal: JobError | None = None) -> HeldLease | Skipped:
        """The outcome is unknown: our nonce there means owned; anything else is left entirely alone."""
        try:
            found = self.ctx.get(keys.leased(mine.id))
        except (Unavailable, Busy):
            found = None
            self._remember_unsure(mine.id, _Unsure(mine, started_s, fatal))
        if found is not None and found.body == mine.body():
            return self.own(mine, found.version, started_s, fatal=fatal)
        return GONE

    def _remember_unsure(self, job_id: str, unsure: _Unsure) -> None:
        if len(self._unsure) >= 100:
            self._unsure.pop(next(iter(self._unsure)))
        self._unsure[job_id] = unsure

    def own(
        self, lease: Lease, version: str, started_s: float, *, fatal: JobError | None = None
    ) -> HeldLease | Skipped:
        """The first steps of an owner: beats, a look at done/, the pending object away, the job's own expiry."""
        held = HeldLease(self.ctx, self.beats, lease, version, started_s=started_s)
        held.start_beats()
        try:
            return self._first_steps(held, fatal)
        except (Unavailable, LeaseLost) as error:
            log.warning("dropped %s, claimed a moment ago: %s", held.id, error)
            held.close()
            return GONE
        except BaseException:
            held.close()
            raise

    def _first_steps(self, held: HeldLease, fatal: JobError | None) -> HeldLease | Skipped:
        if self.ctx.insist(lambda: self.ctx.there(keys.done(held.id)), lambda: not held.trusted()):
            held.close()
            cleaning.after_done(self.ctx, held.manifest)
            return GONE
        held.pending_gone = cleaning.drop_pending(self.ctx, held.manifest)
        if fatal is not None:
            return self._end(held, "failed", fatal)
        if self.ctx.store_now() >= held.record.expires_at:
            return self._end(held, "expired", None)
        if not held.trusted():
            held.close()
            return GONE
        return held

    def _end(self, held: HeldLease, state: EndState, error: JobError | None) -> Skipped:
        settle(held, ended(held.record, state, error=error, now=self.ctx.store_now()))
        return GONE


def settle(held: HeldLease, result: Result) -> bool:
    """Commits a held job's result and cleans up; False where another party's result stands (ours is thrown away).

    Raises LeaseLost where the lease ran out before the outcome was known; then nothing is cleaned up.
    """
    try:
        if not held.trusted():
            raise Unavailable(f"the lease of {held.id} was lost ({held.lost})")
        ours = commit(held.ctx, result, lambda: not held.trusted())
    except Unavailable as error:
        held.close()
        raise LeaseLost(f"the lease of {held.id} ran out before its result was committed") from error
    held.close()
    cleaning.after_done(held.ctx, held.manifest, pending_gone=held.pending_gone)
    return ours
