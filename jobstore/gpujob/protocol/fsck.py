"""fsck: finds objects that are not what their keys say, and ends the jobs they belong to so that waiters learn of it.

A corrupt or foreign object is never moved or deleted before done/ stands, nor is a hint that is all there is of its job;
a corrupt done/ is only reported. An idempotency key that cannot be read is freed once it is a day old and every job could
be read and none is called by it. A record of a later protocol than its queue's counts as one that cannot be read once it
is a day old.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from gpujob import keys
from gpujob.buckets.base import Entry, Found
from gpujob.errors import CorruptRecord, Unavailable, WrongProtocol
from gpujob.protocol import cleaning
from gpujob.protocol.context import Context
from gpujob.protocol.finish import commit
from gpujob.protocol.gc import DAY_S
from gpujob.protocol.listing import every_entry
from gpujob.protocol.manifests import every_manifest
from gpujob.protocol.removal import SETTLED_S
from gpujob.protocol.status import lease_of
from gpujob.records import (
    PROTOCOL,
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
ORPHAN = "nothing is left of this job but a hint: it has neither a lease nor a result"


@dataclass(frozen=True)
class Finding:
    """One object that is wrong, and what was done about it. `mendable`: `--repair` ends it."""

    key: str
    problem: str
    job_id: str | None = None
    repaired: bool = False
    mendable: bool = False


def check(ctx: Context, *, repair: bool, give_up: Callable[[], bool]) -> list[Finding]:
    """Reads every record of the queue. With `repair`, jobs whose records cannot be read end with done(failed), and an
    idempotency key that nobody can read any more is freed where it stands for no job."""
    findings = []
    damaged_keys: list[Finding] = []
    for entry in every_entry(ctx, ""):
        if not entry.key.startswith(KNOWN):
            findings.append(Finding(entry.key, "no object of gpujob"))
            continue
        finding = _look(ctx, entry)
        if finding is None:
            continue
        if finding.mendable and finding.key.startswith(keys.UNIQUE):
            damaged_keys.append(finding)
        else:
            findings.append(_repair(ctx, finding, give_up) if repair and finding.mendable else finding)
    return findings + (_free(ctx, damaged_keys) if repair else damaged_keys)


def _look(ctx: Context, entry: Entry) -> Finding | None:
    key = entry.key
    model, job_id, foreign = _expected(key)
    if foreign:
        return Finding(key, "not a key that gpujob writes")
    if model is None:
        return None
    try:
        found = ctx.get(key)
        if found is not None:
            _read(model, key, job_id, found)
            return _orphan(ctx, key, job_id, found)
    except Unavailable as error:  # at this one object: where the whole store fails, the next listing says so
        return Finding(key, error.message)
    except (CorruptRecord, WrongProtocol) as error:
        if key.startswith(keys.UNIQUE):
            return _damaged_key(ctx, entry, error)
        if model is Result or job_id is None:
            return Finding(key, error.message)
        if isinstance(error, WrongProtocol):
            return _newer(ctx, entry, job_id, error)
        return Finding(key, error.message, job_id, mendable=True)
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
        return Manifest, None, keys.parse_unique(key) is None
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


def _orphan(ctx: Context, key: str, job_id: str | None, found: Found) -> Finding | None:
    """The finding for an old hint whose job is nowhere: pending/ was read, and then lease and result, as a job moves."""
    if job_id is None or not key.startswith(keys.PENDING) or not is_hint(found.body):
        return None
    young = found.date - found.last_modified < SETTLED_S
    if young or ctx.there(keys.leased(job_id)) or ctx.there(keys.done(job_id)):
        return None
    return Finding(key, ORPHAN, job_id, mendable=True)


def _newer(ctx: Context, entry: Entry, job_id: str, error: WrongProtocol) -> Finding:
    """The finding for a job of a later protocol: an upgrade that is under way, or, after a day of none, a job of nobody's."""
    if _upgraded(ctx):
        return Finding(entry.key, error.message)
    old = _is_old(ctx, entry)
    later = "" if old else "; it can be ended when it is a day old"
    return Finding(entry.key, f"{error.message}, and so does the queue{later}", job_id, mendable=old)


def _upgraded(ctx: Context) -> bool:
    """Whether the queue itself is of a later protocol by now, or does not say."""
    try:
        found = ctx.get(keys.QUEUE)
        return found is not None and decode(QueueConfig, keys.QUEUE, found.body).protocol > PROTOCOL
    except (CorruptRecord, WrongProtocol):
        return True


def _is_old(ctx: Context, entry: Entry) -> bool:
    return ctx.store_now() - entry.last_modified >= DAY_S


def _damaged_key(ctx: Context, entry: Entry, error: CorruptRecord | WrongProtocol) -> Finding:
    old = _is_old(ctx, entry)  # whoever put it has put its job too, or has given up
    lost = isinstance(error, CorruptRecord) or not _upgraded(ctx)
    later = "; it can be freed when it is a day old" if lost and not old else ""
    return Finding(entry.key, error.message + later, mendable=lost and old)


def _free(ctx: Context, findings: list[Finding]) -> list[Finding]:
    """Deletes damaged idempotency keys, each only where every job could be read and none is called by it."""
    if not findings:
        return []
    unreadable: list[str] = []
    holders = {job.idempotency_key: job.id for job in every_manifest(ctx, unreadable.append) if job.idempotency_key}
    freed = []
    for finding in findings:
        holder = holders.get(keys.parse_unique(finding.key) or "")
        if holder is not None:
            why = f"{finding.problem}; it stands for job {holder} and goes with it"
            freed.append(replace(finding, problem=why, job_id=holder, mendable=False))
        elif unreadable:
            freed.append(replace(finding, problem=f"{finding.problem}; whose it is cannot be known: {unreadable[0]}"))
        else:
            whole = _readable(ctx, finding.key)  # another pass was here, and somebody has taken the key since
            freed.append(replace(finding, repaired=whole or cleaning.remove(ctx, finding.key)))
    return freed


def _readable(ctx: Context, key: str) -> bool:
    try:
        found = ctx.get(key)
        return found is None or bool(held_key(key, found.body))
    except (CorruptRecord, WrongProtocol):
        return False


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
        message=finding.problem
        if finding.problem == ORPHAN
        else f"its record in the bucket could not be read ({finding.problem})",
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
    return replace(finding, repaired=True)
