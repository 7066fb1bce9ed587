"""Removing what has ended: one job by `rm`, old ones by retention. The rule that makes it safe:

done/<id> goes only when it is older than ten minutes and pending and leased were both seen absent in a pass that had
nothing to clean; a pass that had cleans, and leaves done/ for the next. So a late duplicate of an old write meets done/.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpujob import keys
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol import cleaning
from gpujob.protocol.cleaning import Delete
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.status import pending_key, result_of
from gpujob.records import Result

SETTLED_S = 600.0
Removal = Literal["removed", "too_young", "cleaned", "active", "unknown"]


@dataclass(frozen=True)
class Removed:
    """What became of one job's objects."""

    outcome: Removal
    age_s: float = 0.0
    objects: int = 0


def remove_job(ctx: Context, job_id: str) -> Removed:
    """Removes a finished job with its texts and files, where the rule allows it now. Raises Denied."""
    done = ctx.head(keys.done(job_id))
    if done is None:
        active = pending_key(ctx, job_id) is not None or ctx.there(keys.leased(job_id))
        return Removed("active" if active else "unknown")
    age_s = done.date - done.last_modified
    if age_s < SETTLED_S:
        return Removed("too_young", age_s)
    result = _result(ctx, job_id)
    if _clean(ctx, job_id, result, cleaning.remove):
        return Removed("cleaned", age_s)
    files = [entry.key for entry in every_entry(ctx, keys.job_artifacts(job_id))]
    cleaning.remove(ctx, keys.done(job_id))
    if ctx.there(keys.done(job_id)):
        return Removed("cleaned", age_s)
    for key in files:
        cleaning.remove(ctx, key)
    _free_key(ctx, result, cleaning.remove)
    return Removed("removed", age_s, 1 + len(files))


def retire(ctx: Context, job_id: str, *, delete: Delete = cleaning.drop) -> bool:
    """Removes a result that retention no longer keeps, and frees its idempotency key; its files are left to gc.

    False where the job had left something to clean: then done/ stays for the next pass. The caller has seen done/ and
    knows its age.
    """
    result = _result(ctx, job_id)
    if _clean(ctx, job_id, result, delete):
        return False
    if delete(ctx, keys.done(job_id)):
        _free_key(ctx, result, delete)
    return True


def _free_key(ctx: Context, result: Result | None, delete: Delete) -> None:
    if result is not None and result.manifest is not None and result.manifest.idempotency_key:
        delete(ctx, keys.unique(result.manifest.idempotency_key))


def _clean(ctx: Context, job_id: str, result: Result | None, delete: Delete) -> bool:
    pending = _standing_pending(ctx, job_id, result)
    leased = ctx.there(keys.leased(job_id))
    if pending is None and not leased:
        return False
    if not ctx.there(keys.done(job_id)):
        return True  # removed by another pass, and submitted again by its idempotency key: this is no leftover
    if pending is not None:
        delete(ctx, pending)
    if leased:
        delete(ctx, keys.leased(job_id))
    return True


def _standing_pending(ctx: Context, job_id: str, result: Result | None) -> str | None:
    """The job's pending key, if the object is there. Asked of the object: a listing may be stale, and done/ rests on it."""
    manifest = result.manifest if result is not None else None
    if manifest is None:
        return pending_key(ctx, job_id)  # a result by fsck names no manifest: only a listing can tell
    key = keys.pending(manifest.priority, job_id, manifest.kind)
    return key if ctx.there(key) else None


def _result(ctx: Context, job_id: str) -> Result | None:
    try:
        return result_of(ctx, job_id)
    except (CorruptRecord, WrongProtocol):
        return None
