"""Status: where a job is, found in the order in which it moves, so that one that moves meanwhile is still met."""

from __future__ import annotations

from dataclasses import dataclass

from gpujob import keys
from gpujob.protocol.context import Context
from gpujob.records import Lease, Manifest, Result, decode, is_hint, waiting_job
from gpujob.states import State


@dataclass(frozen=True)
class Status:
    """A job as the bucket says it is: exactly one of `result`, `lease` and `pending` decides."""

    id: str
    state: State
    result: Result | None = None
    lease: Lease | None = None
    lease_modified: float = 0.0
    pending: Manifest | None = None
    pending_since: float = 0.0

    @property
    def manifest(self) -> Manifest | None:
        """The job as it was submitted (None only for a result that was ended by fsck)."""
        if self.result is not None:
            return self.result.manifest
        return self.lease.manifest if self.lease is not None else self.pending

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.result is not None


def result_of(ctx: Context, job_id: str) -> Result | None:
    """The committed result, or None while there is none. One GET."""
    key = keys.done(job_id)
    found = ctx.get(key)
    return None if found is None else decode(Result, key, found.body, whose=job_id)


def lease_of(ctx: Context, job_id: str) -> tuple[Lease, float] | None:
    """The lease and its LastModified. One GET."""
    key = keys.leased(job_id)
    found = ctx.get(key)
    return None if found is None else (decode(Lease, key, found.body, whose=job_id), found.last_modified)


def status(ctx: Context, job_id: str, *, hint: Manifest | None = None) -> Status | None:
    """Where the job is; None when it is found nowhere (a listing may lag behind a submit of a moment ago).

    With the manifest as a `hint`, pending/ costs one GET instead of up to three LISTs.
    """
    result = result_of(ctx, job_id)
    if result is None:
        waiting = _pending(ctx, job_id, hint)
        held = lease_of(ctx, job_id)
        if held is not None:
            return of_lease(*held)
        result = result_of(ctx, job_id)
        if result is None:
            return waiting
    return of_result(result)


def locate(ctx: Context, manifest: Manifest) -> Status | None:
    """`status` of a job whose manifest is known."""
    return status(ctx, manifest.id, hint=manifest)


def of_result(result: Result) -> Status:
    """The status of an ended job."""
    return Status(result.id, result.state, result=result)


def of_lease(lease: Lease, last_modified: float) -> Status:
    """The status of a job that has a lease: a wait shows as queued."""
    return Status(lease.id, "running" if lease.state == "run" else "queued", lease=lease, lease_modified=last_modified)


def _pending(ctx: Context, job_id: str, hint: Manifest | None) -> Status | None:
    """The job as its manifest in pending/ shows it. A hint there has no authority: the lease decides."""
    key = pending_key(ctx, job_id) if hint is None else keys.pending(hint.priority, job_id, hint.kind)
    found = None if key is None else ctx.get(key)
    where = None if key is None else keys.parse_pending(key)
    if key is None or where is None or found is None or is_hint(found.body):
        return None
    manifest = waiting_job(key, found.body, where)
    return Status(job_id, "queued", pending=manifest, pending_since=found.last_modified)


def pending_key(ctx: Context, job_id: str) -> str | None:
    """The key under which the job waits, found by up to three LISTs."""
    for priority in keys.LEVELS:
        for entry in ctx.list(keys.pending_prefix(priority, job_id)).entries:  # foreign keys may come before ours
            parsed = keys.parse_pending(entry.key)
            if parsed is not None and parsed.id == job_id:
                return entry.key
    return None
