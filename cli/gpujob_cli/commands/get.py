"""`gpujob get`: a finished job's files, verified and placed whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gpujob.protocol.status import Status
from gpujob_cli import downloading
from gpujob_cli.describing import files
from gpujob_cli.errors import END_CODES, UNFINISHED, Report, print_report, worst
from gpujob_cli.session import Session
from gpujob_cli.several import for_each
from gpujob_cli.shapes import of_result, of_status


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
    several = len(set(jobs)) > 1
    unfinished: list[int] = []

    def act(job_id: str) -> dict[str, Any]:
        status = session.store.status(job_id)
        if status.result is None:
            unfinished.append(_not_finished(session, status))
            return {**of_status(status), "files": []}
        if not status.result.artifacts and status.state != "succeeded":
            unfinished.append(_without_files(session, status))
            return {**of_status(status), "files": []}
        return _fetch(session, status, downloading.folder(out, job_id, several=several), force)

    return worst([for_each(session, jobs, act), *unfinished])


def _fetch(session: Session, status: Status, folder: Path, force: bool) -> dict[str, Any]:
    result = status.result
    assert result is not None
    paths = downloading.fetch(session, result, folder, force=force)
    session.out.say(f"{result.id}: {files(result)}, sha256 ok" if paths else f"{result.id} has no files", style="good")
    if not session.out.json:
        for path in paths:
            session.out.answer(path)
    return of_result(result, files=paths)


def _not_finished(session: Session, status: Status) -> int:
    told = Report(
        "NotFinished",
        UNFINISHED,
        f"job {status.id} is {status.state}; it has no files yet",
        f"`gpujob wait {status.id} -o DIR` waits for it and fetches them.",
    )
    print_report(told, json=session.out.json)
    return UNFINISHED


def _without_files(session: Session, status: Status) -> int:
    result = status.result
    assert result is not None
    reason = f": {result.error.message}" if result.error is not None else ""
    code = END_CODES[status.state]
    told = Report("JobFailed", code, f"job {status.id} {status.state}{reason}", f"`gpujob show {status.id}` says more.")
    print_report(told, json=session.out.json)
    return code
