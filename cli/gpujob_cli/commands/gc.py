"""`gpujob gc`: removes what retention allows and what nothing refers to any more."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gpujob.protocol.gc import Garbage
from gpujob.specs.quantities import format_duration, format_size
from gpujob_cli.consent import agreed
from gpujob_cli.flags import duration
from gpujob_cli.session import Session


def gc(
    session: Session,
    older_than: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Keep what is younger; the queue's retention if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove old results, and files that no job refers to.

    \b
    Example:
      gpujob gc --older-than 30d --dry-run
    """
    older_than_s = duration("--older-than", older_than)
    keep_s = session.store.config.retention_s if older_than_s is None else older_than_s
    if not dry_run:
        question = f"Remove results older than {format_duration(keep_s)} from {session.url}, with their files?"
        if not agreed(session.out, question, yes=yes):
            return
    _print(session, session.store.gc(older_than_s=keep_s, dry_run=dry_run), dry_run)


def _print(session: Session, garbage: Garbage, dry_run: bool) -> None:
    out = session.out
    for line in garbage.unreadable:
        out.warn(f"{line}; `gpujob fsck` says more")
    if out.json:
        found: dict[str, Any] = {"dry_run": dry_run, "objects": garbage.objects, "bytes": garbage.size_bytes}
        out.answer_json({**found, "unreadable": garbage.unreadable})
        return
    if garbage.objects and not out.quiet:
        out.table([[kind, count] for kind, count in sorted(garbage.objects.items())], header=("KIND", "OBJECTS"))
    count = sum(garbage.objects.values())
    size = format_size(garbage.size_bytes)
    out.say(f"{'would remove' if dry_run else 'removed'} {count} object{'s' * (count != 1)}, {size}")
