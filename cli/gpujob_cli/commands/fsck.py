"""`gpujob fsck`: objects that are not what their keys say, and an end for the jobs that they leave without one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from gpujob_cli.consent import agreed
from gpujob_cli.errors import FAILED
from gpujob_cli.session import Session


def fsck(
    session: Session,
    repair: Annotated[bool, typer.Option("--repair", help="End the jobs of damaged records as failed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Read every record of the queue and report what is damaged or foreign. Exit 100 where something is left so.

    \b
    Example:
      gpujob fsck --repair
    """
    if repair and not agreed(session.out, f"End the jobs of damaged records in {session.url} as failed?", yes=yes):
        return 0
    findings = session.store.fsck(repair=repair)
    if session.out.json:
        session.out.answer_json([asdict(one) for one in findings])
    elif session.out.quiet:
        for one in findings:
            session.out.answer(one.key)
    elif findings:
        done = {True: "ended as failed", False: ""}
        session.out.table(
            [[one.key, done[one.repaired], one.problem] for one in findings], header=("KEY", "DONE", "PROBLEM")
        )
    left = sum(not one.repaired for one in findings)
    mendable = sum(one.job_id is not None and not one.repaired for one in findings)
    session.out.say(f"{len(findings)} found, {len(findings) - left} repaired" if findings else "nothing is damaged")
    if mendable:
        session.out.say(f"`gpujob fsck --repair` ends the {mendable} job{'s' * (mendable > 1)} concerned as failed.")
    return FAILED if left else 0
