"""Waiting for a result: GETs of done/<id>, often at first and then less; progress comes from the lease in between."""

from __future__ import annotations

from collections.abc import Callable

from gpujob.errors import NotFound
from gpujob.protocol.context import Context
from gpujob.protocol.status import Status, of_result, result_of, status
from gpujob.records import Result

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 2.0


def wait(
    ctx: Context,
    job_id: str,
    *,
    timeout_s: float | None,
    on_look: Callable[[Status], None] | None,
    patience_s: float,
) -> Result:
    """The result of a job. Raises NotFound for one that is nowhere, TimeoutError after `timeout_s`."""
    until_s = None if timeout_s is None else ctx.runtime.elapsed() + timeout_s
    pause_s = FIRST_PAUSE_S
    seen = False
    while True:
        if on_look is None and seen:
            result = ctx.insist(lambda: result_of(ctx, job_id), ctx.patience(patience_s))
        else:
            found = ctx.insist(lambda: status(ctx, job_id), ctx.patience(patience_s))
            if found is None:
                raise NotFound(f"no job {job_id}", hint="If it was submitted a moment ago, try again.")
            seen, result = True, found.result
            if on_look is not None:
                on_look(of_result(result) if result is not None else found)
        if result is not None:
            return result
        left_s = None if until_s is None else until_s - ctx.runtime.elapsed()
        if left_s is not None and left_s <= 0:
            raise TimeoutError(f"job {job_id} has not ended within {timeout_s:g} s; it goes on")
        ctx.runtime.sleep(pause_s if left_s is None else min(pause_s, left_s))
        pause_s = min(LONGEST_PAUSE_S, pause_s * 1.3)
