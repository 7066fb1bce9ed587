"""`gpujob ls`: what is active and what ended lately, as the bucket's listings say it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, get_args

import typer

from gpujob import settings
from gpujob.protocol.status import Status
from gpujob.states import State
from gpujob_cli.describing import HEADER, kind_of, row
from gpujob_cli.flags import duration, parse_labels
from gpujob_cli.session import Session
from gpujob_cli.shapes import of_status

WATCH_EVERY_S = 2.0
FILTERED_FROM = 2000  # the newest jobs that a filter chooses from

Keep = Callable[[Status], bool]


def ls(
    session: Session,
    state: Annotated[list[str] | None, typer.Option(help="Only jobs in this state; repeatable.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only jobs of this kind; repeatable.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only with this label; repeatable.")
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only jobs that you submitted.")] = False,
    since: Annotated[str, typer.Option(metavar="DURATION", help="Ended jobs submitted within this time.")] = "24h",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many rows, the newest.")] = 200,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on until Ctrl-C, showing what changes.")] = False,
) -> None:
    """List active and recent jobs, oldest first.

    \b
    Example:
      gpujob ls --state failed --since 7d
    """
    keep = _filter(session, _states(state), kind, parse_labels(label), mine)
    since_s = duration("--since", since) or 0.0

    def look() -> list[Status]:
        asked = limit if keep is None else max(limit, FILTERED_FROM)
        found = session.store.jobs(since=session.store.runtime.now() - since_s, limit=asked)
        return [one for one in found if keep is None or keep(one)][-limit:]

    if watch:
        _watch(session, look)
    else:
        _print(session, look())


def _states(texts: list[str] | None) -> list[str]:
    known = get_args(State)
    for text in texts or ():
        if text not in known:
            raise typer.BadParameter(f"{text!r}: the states are {', '.join(known)}.", param_hint="--state")
    return texts or []


def _filter(
    session: Session, states: list[str], kinds: list[str] | None, labels: dict[str, str], mine: bool
) -> Keep | None:
    if not (states or kinds or labels or mine):
        return None
    me = session.submitted_by if mine else ""

    def keep(status: Status) -> bool:
        manifest = status.manifest
        has = manifest.labels if manifest is not None else {}
        return (
            (not states or status.state in states)
            and (not kinds or kind_of(status) in kinds)
            and all(has.get(name) == value for name, value in labels.items())
            and (not mine or (manifest is not None and manifest.submitted_by == me))
        )

    return keep


def _print(session: Session, jobs: list[Status]) -> None:
    out, now = session.out, session.store.runtime.now()
    if out.json:
        out.answer_json([of_status(one) for one in jobs])
    elif out.quiet:
        for one in jobs:
            out.answer(one.id)
    elif jobs:
        out.table([row(one, now) for one in jobs], header=HEADER)
    else:
        out.say(f"no such jobs in {session.url}", style="dim")


def _watch(session: Session, look: Callable[[], list[Status]]) -> None:
    """On a terminal the whole table again and again; elsewhere one line for each job that changed."""
    screen = sys.stdout.isatty() and not settings.terminal().dumb and not session.out.silent
    shown: dict[str, object] = {}
    while True:
        jobs = look()
        if screen:
            sys.stdout.write("\x1b[H\x1b[2J")
            _print(session, jobs)
        else:
            for one in jobs:
                _line_if_new(session, one, shown)
        session.store.runtime.sleep(WATCH_EVERY_S)


def _line_if_new(session: Session, job: Status, shown: dict[str, object]) -> None:
    now = session.store.runtime.now()
    _, state, kind, _, name, told = row(job, now)
    if shown.get(job.id) == (state, told):
        return
    shown[job.id] = (state, told)
    if session.out.json:
        session.out.answer_json(of_status(job))
    elif session.out.quiet:
        session.out.answer(job.id)
    else:
        session.out.answer("  ".join(part for part in (job.id, state, kind, name, told) if part))
