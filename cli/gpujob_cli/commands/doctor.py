"""`gpujob doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Annotated

import typer

from gpujob.clock import SYSTEM
from gpujob_cli.errors import CONFIGURATION
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.order import Wish, examine
from gpujob_cli.examinations.safety import DEEP, Effort
from gpujob_cli.session import Session
from gpujob_cli.text import clean

SHOWN = {"ok": "ok", "note": "note", "broken": "BROKEN"}
DETAILED = ("workers", "cost")
INDENT = 23
NARROWEST = 30


def doctor(
    session: Session,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Try the store's conditional writes with a race (a few seconds).")
    ] = True,
    deep: Annotated[bool, typer.Option("--deep", help="Race 64 writers, and more often (up to minutes).")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Each row of the probe, and all details.")] = False,
) -> int:
    """Examine this machine, the store and the queue, and say what to do next. Exit 3 where something is broken.

    \b
    Example:
      gpujob doctor
    """
    started_s = SYSTEM.elapsed()
    found: list[Finding] = []
    session.out.status(f"examining {session.url}")
    for seen in examine(session, Wish(probe or deep, DEEP if deep else Effort())):
        finding = replace(seen, next=_pointed(session, seen.next))
        if not session.out.silent:
            _show(session, finding, found[-1] if found else None, verbose or deep)
        found.append(finding)
    took_s = SYSTEM.elapsed() - started_s
    broken = [one for one in found if one.status == "broken"]
    if session.out.json:
        session.out.answer_json(_answer(session.url, found, took_s))
    elif session.out.quiet:
        for one in broken:
            session.out.answer(one.check)
    else:
        _what_next(session, found)
    ended = f"{len(broken)} broken" if broken else "nothing is broken"
    session.out.say(f"{ended}, {len(found)} looked at in {took_s:.1f} s", style="bad" if broken else "good")
    return CONFIGURATION if broken else 0


def _pointed(session: Session, next_: str) -> str:
    """A next step that leads to this store, be it a sentence with commands or a command alone."""
    alone = next_.startswith("gpujob ")
    return session.pointed(f"`{next_}`").strip("`") if alone else session.pointed(next_)


def _answer(url: str, found: list[Finding], took_s: float) -> dict[str, object]:
    counts = {status: sum(1 for one in found if one.status == status) for status in ("broken", "note")}
    return {
        "ok": not counts["broken"],
        "store": url,
        "broken": counts["broken"],
        "notes": counts["note"],
        "seconds": round(took_s, 3),
        "checks": [one.as_dict() for one in found],
    }


def _show(session: Session, finding: Finding, before: Finding | None, verbose: bool) -> None:
    if before is None or before.group != finding.group:
        session.out.answer("")
        session.out.answer(finding.group)
    _row(session, finding, finding.text)
    if verbose or finding.check in DETAILED or finding.status == "broken":
        for line in finding.lines:
            _wrapped(session, " " * (INDENT + 2), line)


def _what_next(session: Session, found: list[Finding]) -> None:
    """The problems again, what is broken first, each with its next step."""
    todo = [one for status in ("broken", "note") for one in found if one.status == status and one.next]
    if todo:
        session.out.answer("")
        session.out.answer("what to do next")
    for one in todo:
        _row(session, one, f"next: {one.next}")


def _row(session: Session, finding: Finding, text: str) -> None:
    _wrapped(session, f"  {SHOWN[finding.status]:<6}  {finding.check:<11}  ", text)


def _wrapped(session: Session, first: str, text: str) -> None:
    """A line of the report; on a terminal that is too narrow it goes on under its own beginning."""
    room = (session.out.width or 0) - len(first)
    parts = textwrap.wrap(clean(text), room, break_on_hyphens=False) if room >= NARROWEST else [text]
    for number, part in enumerate(parts):
        session.out.answer((first if number == 0 else " " * len(first)) + part)
