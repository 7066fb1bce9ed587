"""`gpujob wait`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from gpujob.errors import CorruptRecord, InvalidSpec, WrongProtocol
from gpujob.protocol.status import status
from gpujob.records import Manifest
from gpujob_cli.collecting import target_of
from gpujob_cli.consent import UsageError
from gpujob_cli.flags import FallbackAfterFlag, FallbackFlag, ForceFlag, duration
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.serving import fallback_of
from gpujob_cli.session import LAST, Session

LOOKERS = 8


def wait(
    session: Session,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, their beginnings, keys; @last.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Download the files into DIR.")] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Stop waiting after so long; exit 124.")] = None,
    worker_timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stop when no worker lives for so long; exit 105.")
    ] = None,
    fallback: FallbackFlag = None,
    fallback_after: FallbackAfterFlag = None,
    any_: Annotated[bool, typer.Option("--any", help="Return with the first job that ends.")] = False,
    force: ForceFlag = False,
) -> int:
    """Wait for jobs, with progress or the reason why they wait.

    \b
    Example:
      gpujob wait @last -o out/
      gpujob submit tour.json | xargs gpujob wait --timeout 10m

    At a terminal no id means the job that was submitted last. Ctrl-C detaches: the job goes on (exit 130).
    """
    if fallback not in (None, "none", "local"):
        raise InvalidSpec(f"--fallback {fallback}: is none or local", hint="Write --fallback local.")
    wishes = Wishes(
        target=target_of(out, force=force),
        timeout_s=duration("--timeout", timeout),
        worker_timeout_s=duration("--worker-timeout", worker_timeout),
        first_only=any_,
        print_states=True,
    )
    after_s = duration("--fallback-after", fallback_after)
    jobs = session.job_ids(_named(ids))
    if fallback == "none":
        return Follower(session, dict.fromkeys(jobs), wishes).follow()
    going = _going(session, jobs)
    serving = fallback_of(session, going, for_all=fallback == "local", after_s=after_s)
    return Follower(session, going, wishes, serving).follow()


def _named(ids: list[str] | None) -> list[str]:
    """The ids to wait for. None at all means a job only to a person: behind `xargs` it means that nothing was submitted."""
    if ids:
        return ids
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"Missing argument 'ID...': which job? {LAST} is the one that was submitted last.")
    return [LAST]


def _going(session: Session, ids: Sequence[str]) -> dict[str, Manifest | None]:
    """The jobs with the manifests of those that have not ended. One that cannot be read is told of in its turn."""
    ctx = session.store.context
    give_up = ctx.patience(session.store.patience_s)

    def look(job_id: str) -> Manifest | None:
        try:
            found = ctx.insist(lambda: status(ctx, job_id), give_up)
        except (CorruptRecord, WrongProtocol):
            return None
        return None if found is None or found.ended else found.manifest

    with ThreadPoolExecutor(LOOKERS) as pool:
        return dict(zip(ids, pool.map(look, ids), strict=True))
