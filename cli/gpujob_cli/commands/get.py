"""`gpujob get`: a finished job's files, verified and placed whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.protocol.status import Status
from gpujob.records import Result
from gpujob_cli.collecting import Target, collect, require_writable
from gpujob_cli.describing import files
from gpujob_cli.endings import trouble
from gpujob_cli.errors import UNFINISHED, Report, worst
from gpujob_cli.session import Session
from gpujob_cli.several import for_each, meant_by
from gpujob_cli.shapes import of_result, of_status

DEFAULT_OUT = Path("gpujob-out")


def get(
    session: Session,
    jobs: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, prefixes, idempotency keys or @last.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where to; ./gpujob-out/<id> if left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there and differ.")] = False,
) -> int:
    """Download the files of finished jobs.

    What is there already is kept, an interrupted download goes on where it stopped, and every file's sha256 is checked.
    Several jobs go into a folder each.

    \b
    Example:
      gpujob get @last -o out/
    """
    target = Target(out or DEFAULT_OUT, force=force, by_id=out is None)
    require_writable(target.out)
    meant = meant_by(session, jobs)
    without: list[int] = []

    def act(job_id: str) -> dict[str, Any]:
        status = session.store.status(job_id)
        if status.result is not None:
            session.store.checked(job_id, status.result)
        reason = _why_nothing(session, status)
        if reason is not None or status.result is None:
            without.append(_tell(session, reason))
            return of_status(status)
        return of_result(status.result, files=_fetch(session, status.result, target, meant.several))

    return worst([for_each(session, meant, act), *without])


def _fetch(session: Session, result: Result, target: Target, several: bool) -> list[Path]:
    paths = collect(session, result, target, several=several) if result.artifacts else []
    session.out.say(f"{result.id}: {files(result)}, sha256 ok" if paths else f"{result.id} has no files")
    if not session.out.json:
        for path in paths:
            session.out.answer(path)
    return paths


def _why_nothing(session: Session, status: Status) -> Report | None:
    if status.result is None:
        hint = f"`{session.command(f'wait {status.id} -o DIR')}` waits for it and fetches them."
        return Report("NotFinished", UNFINISHED, f"job {status.id} is {status.state} and has no files yet", hint)
    if status.state != "succeeded" and not status.result.artifacts:
        return trouble(status.result, session)
    return None


def _tell(session: Session, reason: Report | None) -> int:
    return 0 if reason is None else session.tell(reason)
