"""The life of a job as one table of data; the picture in the docs is drawn from it.

What people see (`State`) is derived from which objects exist: done/ decides, then leased/, then pending/.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
TERMINAL: tuple[State, ...] = ("succeeded", "failed", "cancelled", "expired")


class Transition(NamedTuple):
    """One arrow: `event` moves a job from `before` to `after` by the conditional write `write`."""

    before: State | None
    event: str
    after: State
    write: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, "submit", "queued", "create pending"),
    Transition("queued", "claim", "running", "create or replace leased"),
    Transition("running", "beat", "running", "replace leased"),
    Transition("running", "take over", "running", "replace leased"),
    Transition("running", "fail, attempts left", "queued", "replace leased, create hint"),
    Transition("running", "release", "queued", "replace leased, create hint"),
    Transition("running", "succeed", "succeeded", "create done"),
    Transition("running", "fail, none left", "failed", "create done"),
    Transition("running", "lost too often", "failed", "create done"),
    Transition("queued", "cancel", "cancelled", "create done"),
    Transition("running", "cancel", "cancelled", "create done"),
    Transition("queued", "past its ttl", "expired", "create done"),
    Transition("running", "past its ttl", "expired", "create done"),
)


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    arrows = [f"    {move.before or '[*]'} --> {move.after}: {move.event}" for move in TRANSITIONS]
    ends = [f"    {state} --> [*]" for state in TERMINAL]
    return "\n".join(["stateDiagram-v2", *arrows, *ends])
