"""What the shortcuts (`tts`, `echo`, ...) share: one job from flags, done by this machine where nobody else does it."""

from __future__ import annotations

from typing import Any

from gpujob.specs import Spec
from gpujob_cli.flags import parse_labels
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.sending import mention_fallback, send, tell_only
from gpujob_cli.serving import Serving, fallback_of
from gpujob_cli.session import Session


def envelope(
    title: str | None,
    priority: str | None,
    label: list[str] | None,
    idempotency_key: str | None,
    fallback: str | None,
    fallback_after: str | None,
) -> dict[str, Any]:
    """What the flags that all shortcuts share put into a spec."""
    given = {
        "title": title,
        "priority": priority,
        "labels": parse_labels(label) or None,
        "idempotency_key": idempotency_key,
        "fallback": fallback,
        "fallback_after": fallback_after,
    }
    return {name: value for name, value in given.items() if value is not None}


def do(
    session: Session,
    spec: Spec,
    wishes: Wishes,
    *,
    wait: bool = True,
    dry_run: bool = False,
    follower: type[Follower] = Follower,
) -> int:
    """Submits the spec and, unless told otherwise, waits for what comes of it; returns the exit code."""
    if dry_run:
        return tell_only(session, [spec])
    serving = Serving(session, {spec.kind}) if wait and session.is_local else None
    if serving is not None:
        serving.prepare()
    jobs = send(session, [spec])
    if not wait:
        mention_fallback(session, jobs)
        return 0
    return follower(session, jobs, wishes, serving or fallback_of(session, jobs)).follow()
