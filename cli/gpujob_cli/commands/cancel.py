"""`gpujob cancel`: ends jobs that have not ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob_cli.session import Session
from gpujob_cli.several import for_each, meant_by


def cancel(
    session: Session,
    jobs: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, prefixes, idempotency keys or @last.")],
) -> int:
    """End jobs that have not ended. A worker that runs one stops within a beat.

    A job that has ended already stays as it is, which is no error.

    \b
    Example:
      gpujob cancel @last
    """

    def act(job_id: str) -> dict[str, Any]:
        status, ours = session.store.cancel(job_id)
        session.out.say(f"{job_id} is cancelled" if ours else f"{job_id} had ended already: {status.state}")
        if not session.out.json:
            session.out.answer(job_id)
        return {"id": job_id, "state": status.state, "cancelled": ours}

    return for_each(session, meant_by(session, jobs), act)
