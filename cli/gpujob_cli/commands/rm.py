"""`gpujob rm`: removes ended jobs with their texts and files, as early as the protocol allows it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob.errors import Conflict, NotFound
from gpujob.protocol.removal import SETTLED_S, Removed
from gpujob.specs.quantities import format_duration
from gpujob_cli.consent import agreed
from gpujob_cli.errors import worst
from gpujob_cli.session import Session
from gpujob_cli.several import for_each, meant_by


def rm(
    session: Session,
    jobs: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, prefixes, idempotency keys or @last.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Remove ended jobs with their texts and files, ten minutes after their end at the earliest.

    \b
    Example:
      gpujob rm --yes 01k8xq3v
    """
    meant = meant_by(session, jobs)
    what = f"{len(meant.ids)} jobs" if len(meant.ids) > 1 else f"job {''.join(meant.ids)}"
    if meant.ids and not agreed(session.out, f"Remove {what} with all files?", yes=yes):
        return worst(list(meant.codes))

    def act(job_id: str) -> dict[str, Any]:
        removed = session.store.remove(job_id)
        _require_removed(job_id, removed)
        session.out.say(f"removed {job_id} ({removed.objects} object{'s' * (removed.objects != 1)})")
        if session.out.quiet:
            session.out.answer(job_id)
        return {"id": job_id, "removed": True, "objects": removed.objects}

    return for_each(session, meant, act)


def _require_removed(job_id: str, removed: Removed) -> None:
    if removed.outcome == "too_young":
        left = format_duration(max(1.0, round(SETTLED_S - removed.age_s)))
        raise Conflict(
            f"job {job_id} ended {format_duration(round(removed.age_s))} ago, and a late write could still need its record",
            hint=f"Run the same command again in {left}.",
        )
    if removed.outcome == "cleaned":
        raise Conflict(
            f"job {job_id} had leftovers, which are gone now; its record is kept for one more look",
            hint="Run the same command again.",
        )
    if removed.outcome == "active":
        raise Conflict(f"job {job_id} has not ended", hint=f"`gpujob cancel {job_id}` ends it.")
    if removed.outcome == "unknown":
        raise NotFound(f"no job {job_id}", hint="`gpujob ls` lists what there is.")
