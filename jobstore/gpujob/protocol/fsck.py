"""fsck: finds objects that are not what their keys say, and ends the jobs they belong to so that waiters learn of it.

A corrupt or foreign object is never moved or deleted before done/ stands; a corrupt done/ is only reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpujob import keys
from gpujob.buckets.base import Found
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol import cleaning
from gpujob.protocol.context import Context
from gpujob.protocol.finish import commit
from gpujob.protocol.listing import every_entry
from gpujob.protocol.status import lease_of
from gpujob.records import (
    Hint,
    JobError,
    Lease,
    Manifest,
    Presence,
    QueueConfig,
    Record,
    Result,
    decode,
    held_key,
    is_hint,
    waiting_job,
)

KNOWN = (
    keys.PENDING, keys.LEASED, keys.DONE, keys.UNIQUE, keys.ARTIFACTS, keys.INPUTS, keys.CACHE, keys.WORKERS,
    keys.QUEUE, "models/", "dist/", "probe/",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """One object that is wrong, and what was done about it."""

    key: str
    problem: str
    job_id: str | None = None
    repaired: bool = False


def check(ctx: Context, *, repair: bool, give_up: Callable[[], bool]) -> list[Finding]:
    """Reads every record of the queue; with `repair`, ends jobs whose records cannot be read with done(failed)."""
    findings = []
    for entry in every_entry(ctx, ""):
        if not entry.key.startswith(KNOWN):
            findings.append(Finding(entry.key, "no object of gpujob"))
            continue
        finding = _look(ctx, entry.key)
        if finding is not None:
            findings.append(_repair(ctx, finding, give_up) if repair and finding.job_id else finding)
    return findings


def _look(ctx: Context, key: str) -> Finding | None:
    model, job_id, foreign = _expected(key)
    if foreign:
        return Finding(key, "not a key that gpujob writes")
    if model is None:
        return None
    found = ctx.get(key)
    if found is None:
        return None
    try:
        _read(model, key, job_id, found)
    except (CorruptRecord, WrongProtocol) as error:
        mendable = isinstance(error, CorruptRecord) and model is not Result
        return Finding(key, error.message, job_id if mendable else None)
    return None


def _expected(key: str) -> tuple[type[Record] | None, str | None, bool]:
    """The record that belongs under `key`, the job it is of, and whether the key itself is foreign."""
    if key.startswith(keys.PENDING):
        where = keys.parse_pending(key)
        return Manifest, where.id if where else None, where is None
    for prefix, model in ((keys.LEASED, Lease), (keys.DONE, Result)):
        if key.startswith(prefix):
            job_id = keys.parse_job(key, prefix)
            return model, job_id, job_id is None
    if key.startswith(keys.WORKERS):
        return Presence, None, keys.parse_worker(key) is None
    if key.startswith(keys.UNIQUE):
        return Manifest, None, False
    return (QueueConfig, None, False) if key == keys.QUEUE else (None, None, False)


def _read(model: type[Record], key: str, job_id: str | None, found: Found) -> None:
    if model is Manifest and key.startswith(keys.PENDING) and is_hint(found.body):
        model = Hint
    where = keys.parse_pending(key)
    if key.startswith(keys.UNIQUE):
        held_key(key, found.body)
    elif where is not None and model is Manifest:
        waiting_job(key, found.body, where)
    else:
        decode(model, key, found.body, whose=keys.parse_worker(key) or job_id)


def _has_lease(ctx: Context, job_id: str) -> bool:
    try:
        return lease_of(ctx, job_id) is not None
    except (CorruptRecord, WrongProtocol):
        return False


def _repair(ctx: Context, finding: Finding, give_up: Callable[[], bool]) -> Finding:
    job_id = finding.job_id or ""
    if finding.key.startswith(keys.PENDING) and _has_lease(ctx, job_id):
        return finding  # the lease decides; its owner clears pending/ away
    where = keys.parse_pending(finding.key)
    error = JobError(
        type="storage",
        message=f"its record in the bucket could not be read ({finding.problem})",
        hint="Submit the job again.",
        retryable=False,
    )
    result = Result(
        id=job_id,
        kind=where.kind if where else "unknown",
        state="failed",
        nonce=ctx.nonce(),
        finished_at=ctx.store_now(),
        error=error,
    )
    commit(ctx, result, give_up)
    cleaning.remove(ctx, finding.key)
    return Finding(finding.key, finding.problem, job_id, repaired=True)
