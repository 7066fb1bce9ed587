"""`gpujob doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from gpujob_cli.errors import CONFIGURATION
from gpujob_cli.examining import Finding, examine
from gpujob_cli.session import Session

SHOWN = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def doctor(
    session: Session,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Try the store's conditional writes with a race (a few seconds).")
    ] = True,
) -> int:
    """Examine credentials, store, queue, clock, workers, models and cost. Exit 3 where something is broken.

    \b
    Example:
      gpujob doctor
    """
    found = []
    session.out.status(f"examining {session.url}")
    for finding in examine(session, with_probe=probe):
        found.append(finding)
        if not session.out.silent:
            _show(session, finding)
    broken = [one for one in found if one.status == "broken"]
    if session.out.json:
        session.out.answer_json({"ok": not broken, "store": session.url, "checks": [asdict(one) for one in found]})
    elif session.out.quiet:
        for one in broken:
            session.out.answer(one.check)
    session.out.say(f"{len(broken)} broken" if broken else "nothing is broken", style="bad" if broken else "good")
    return CONFIGURATION if broken else 0


def _show(session: Session, finding: Finding) -> None:
    session.out.answer(f"{SHOWN[finding.status]:<6}  {finding.check:<11}  {finding.text}")
    if finding.next:
        session.out.answer(f"{'':<6}  {'':<11}  next: {finding.next}")
