"""Decisions without I/O: given a record and a moment, what may be done. All moments are the store's, in seconds."""

from __future__ import annotations

from typing import Literal

from gpujob.chance import Random
from gpujob.records import Hint, JobError, Lease, Manifest, PastAttempt, RetryPolicy

MAX_LOSSES = 5
FREE_RELEASES = 5
MAX_HISTORY = 20

LeaseVerdict = Literal["fresh", "not_due", "take", "give_up"]


def margin_s(ttl_s: float) -> float:
    """How long before a lease's expiry its owner stops trusting it: a sixth of the ttl, within 1 to 5 s.

    Never under a second, the resolution of the stores' HTTP dates; 5 s at the default ttl of 30 s.
    """
    return min(5.0, max(1.0, ttl_s / 6))


def beat_silence_s(ttl_s: float, beat_s: float) -> float:
    """How long a beat waits for an answer: short enough to look and to beat once more before the lease's owner stops.

    A third of what is left of the lease's trust when the beat begins, 5 s at the least; 5 s at the defaults.
    """
    return max(5.0, (ttl_s - margin_s(ttl_s) - beat_s) / 3)


def judge(lease: Lease, last_modified: float, now: float) -> LeaseVerdict:
    """What another worker may do with a lease it has just read."""
    if lease.state == "wait":
        if now < min(lease.not_before, lease.expires_at):
            return "not_due"
        return "give_up" if lease.losses > MAX_LOSSES else "take"
    if now - last_modified < lease.ttl_s:
        return "fresh"
    return "give_up" if lease.losses >= MAX_LOSSES else "take"


def look_again_at(lease: Lease, last_modified: float) -> float:
    """The moment from which another look at this very version of a lease can find something to do."""
    if lease.state == "wait":
        return min(lease.not_before, lease.expires_at)
    return last_modified + lease.ttl_s


def first_lease(
    manifest: Manifest, *, worker: str, nonce: str, ttl_s: float, beat_s: float, first_seen: float, now: float
) -> Lease:
    """The lease of a job's first claim. `first_seen` is the LastModified of its pending object."""
    return Lease(
        id=manifest.id,
        manifest=manifest,
        state="run",
        worker=worker,
        nonce=nonce,
        epoch=1,
        attempt=1,
        ttl_s=ttl_s,
        beat_s=beat_s,
        expires_at=first_seen + manifest.ttl_s,
        started_at=now,
    )


def taken(lease: Lease, *, worker: str, nonce: str, ttl_s: float, beat_s: float, now: float) -> Lease:
    """The lease after another worker took it: over from a dead one (a loss), or up from waiting."""
    lost = lease.state == "run"
    return lease.model_copy(
        update={
            "state": "run",
            "worker": worker,
            "nonce": nonce,
            "epoch": lease.epoch + 1,
            "attempt": lease.attempt + 1,
            "losses": lease.losses + lost,
            "ttl_s": ttl_s,
            "beat_s": beat_s,
            "beat": 0,
            "progress": type(lease.progress)(),
            "not_before": 0.0,
            "started_at": now,
            "history": _remember(lease, "lost", now) if lost else lease.history,
        }
    )


def condemned(lease: Lease, *, worker: str, nonce: str, now: float) -> Lease:
    """The lease as owned by whoever ends a job that lost too many workers. No run starts: `attempt` stays."""
    return lease.model_copy(
        update={
            "state": "run",
            "worker": worker,
            "nonce": nonce,
            "epoch": lease.epoch + 1,
            "beat": 0,
            "history": _remember(lease, "lost", now) if lease.state == "run" else lease.history,
        }
    )


def may_retry(lease: Lease, error: JobError) -> bool:
    """Whether a failed attempt leaves another one."""
    return error.retryable and lease.failures + 1 < lease.manifest.retry.max_attempts


def failed_once(lease: Lease, error: JobError, now: float, rng: Random) -> Lease:
    """The lease that waits for the next attempt after a failure."""
    wait_s = backoff_s(lease.manifest.retry, lease.failures, rng)
    return lease.model_copy(
        update={
            "state": "wait",
            "failures": lease.failures + 1,
            "not_before": now + wait_s,
            "error": error,
            "history": _remember(lease, "failed", now, error.message),
        }
    )


def released(lease: Lease, now: float) -> Lease:
    """The lease given back by a draining worker: due at once; from the sixth time on it counts as a loss."""
    return lease.model_copy(
        update={
            "state": "wait",
            "releases": lease.releases + 1,
            "losses": lease.losses + (lease.releases >= FREE_RELEASES),
            "not_before": now,
            "history": _remember(lease, "released", now),
        }
    )


def hint_for(lease: Lease, nonce: str) -> Hint:
    """The hint that tells workers of a waiting lease."""
    manifest = lease.manifest
    return Hint(
        id=lease.id,
        kind=manifest.kind,
        priority=manifest.priority,
        not_before=lease.not_before,
        expires_at=lease.expires_at,
        nonce=nonce,
    )


def backoff_s(retry: RetryPolicy, failures: int, rng: Random) -> float:
    """The wait before the next attempt: doubling from `initial_s` to `max_s`, of which the last half is drawn."""
    full = min(retry.max_s, retry.initial_s * 2.0 ** min(failures, 32))
    return full * (0.5 + rng.random() / 2)


def worker_lost(lease: Lease, *, named: bool = True) -> JobError:
    """The error of a job whose workers vanished too often; `named` says which was the last, as far as the lease is believed."""
    last = f"; the last was {lease.worker}" if named else ""
    return JobError(
        type="worker_lost",
        message=f"{lease.losses + 1} workers vanished while they ran this job{last}",
        hint="It may need more memory than they have. Look at the logs of its attempts, then `gpujob retry`.",
        retryable=False,
        attempt=lease.attempt,
    )


def _remember(
    lease: Lease, ended: Literal["failed", "lost", "released"], now: float, message: str = ""
) -> tuple[PastAttempt, ...]:
    past = PastAttempt(
        attempt=lease.attempt, epoch=lease.epoch, worker=lease.worker, ended=ended, at=now, message=message[:300]
    )
    return (*lease.history, past)[-MAX_HISTORY:]
