"""Cancel: ends a job from outside. Its worker notices at its next beat at the latest."""

from __future__ import annotations

from collections.abc import Callable

from gpujob.errors import Denied, NotFound
from gpujob.protocol import cleaning
from gpujob.protocol.context import Context
from gpujob.protocol.finish import commit
from gpujob.protocol.results import ended, ended_unclaimed
from gpujob.protocol.status import Status, of_result, result_of, status
from gpujob.records import Manifest, Result


def cancel(ctx: Context, job_id: str, give_up: Callable[[], bool]) -> tuple[Status, bool]:
    """Commits `cancelled` unless the job has ended; returns how it ended, and whether this call ended it.

    Raises NotFound for an unknown id, Denied for a role that may not, Unavailable where the outcome could not be learned.
    """
    found = ctx.insist(lambda: status(ctx, job_id), give_up)
    if found is None:
        raise NotFound(f"no job {job_id}", hint="If it was submitted a moment ago, try again.")
    if found.result is not None:
        return found, False
    manifest, result = _cancelled(ctx, found)
    try:
        ours = commit(ctx, result, give_up)
    except Denied as error:
        raise Denied(
            f"these credentials may not cancel jobs, so {job_id} goes on: {error.message}",
            hint="Ask somebody whose role may: a submitter with the right to cancel, or an operator.",
        ) from error
    cleaning.after_done(ctx, manifest)
    if ours:
        return of_result(result), True
    standing = ctx.insist(lambda: result_of(ctx, job_id), give_up)
    return of_result(standing or result), False


def _cancelled(ctx: Context, found: Status) -> tuple[Manifest, Result]:
    now = ctx.store_now()
    if found.lease is not None:
        own = found.lease.model_copy(update={"nonce": ctx.nonce()})
        return own.manifest, ended(own, "cancelled", now=now)
    assert found.pending is not None
    return found.pending, ended_unclaimed(found.pending, "cancelled", nonce=ctx.nonce(), now=now)
