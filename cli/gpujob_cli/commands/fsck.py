"""`gpujob fsck`: objects that are not what their keys say, and an end for the jobs that they leave without one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from gpujob.protocol.fsck import Finding
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
        session.out.table([[one.key, _done(one), one.problem] for one in findings], header=("KEY", "DONE", "PROBLEM"))
    left = sum(not one.repaired for one in findings)
    mendable = [one for one in findings if one.mendable and not one.repaired]
    session.out.say(f"{len(findings)} found, {len(findings) - left} repaired" if findings else "nothing is damaged")
    if mendable and not repair:
        jobs = sum(one.job_id is not None for one in mendable)
        session.out.say(f"`gpujob fsck --repair` {_would_do(jobs, len(mendable) - jobs)}.")
    return FAILED if left else 0


def _done(finding: Finding) -> str:
    if not finding.repaired:
        return ""
    return "ended as failed" if finding.job_id is not None else "freed"


def _would_do(jobs: int, damaged_keys: int) -> str:
    ends = f"ends the {jobs} job{'s' * (jobs > 1)} concerned as failed" if jobs else ""
    frees = f"frees {damaged_keys} idempotency key{'s' * (damaged_keys > 1)}" if damaged_keys else ""
    return " and ".join(filter(None, (ends, frees)))
