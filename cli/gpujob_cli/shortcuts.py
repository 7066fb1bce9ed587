"""What the shortcuts (`tts`, `echo`, ...) share: one job from flags, done by this machine where nobody else does it."""

from __future__ import annotations

from gpujob.specs import Spec
from gpujob_cli.following import Follower, Wishes
from gpujob_cli.sending import send
from gpujob_cli.serving import Serving
from gpujob_cli.session import Session


def do(session: Session, spec: Spec, wishes: Wishes, *, wait: bool = True, follower: type[Follower] = Follower) -> int:
    """Submits the spec and, unless told otherwise, waits for what comes of it; returns the exit code."""
    serving = Serving(session, {spec.kind}) if wait and session.is_local else None
    if serving is not None:
        serving.prepare()
    jobs = send(session, [spec])
    return follower(session, jobs, wishes, serving).follow() if wait else 0
