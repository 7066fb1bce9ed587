"""`gpujob retry`: ended jobs once more, as new jobs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob_cli.session import Session
from gpujob_cli.several import for_each, meant_by


def retry(
    session: Session,
    jobs: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, prefixes, idempotency keys or @last.")],
) -> int:
    """Submit ended jobs again, as new jobs that name the old ones. Prints the new ids.

    \b
    Example:
      gpujob wait $(gpujob retry @last)
    """
    meant = meant_by(session, jobs)
    session.require_room(len(meant.ids))

    def act(job_id: str) -> dict[str, Any]:
        new = session.store.retry(job_id, submitted_by=session.submitted_by).manifest
        session.remember(new.id)
        if not session.out.json:
            session.out.answer(new.id)
        session.out.say(f"a retry of {job_id}", style="dim")
        return {"id": new.id, "retry_of": job_id}

    return for_each(session, meant, act)
