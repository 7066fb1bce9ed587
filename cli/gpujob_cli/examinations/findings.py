"""A finding of `doctor`, and looking that ends: each look has a thread and a limit of its own.

Invariant: a look that fails, hangs or has a bug becomes a finding that says so, and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gpujob.clock import SYSTEM, Runtime
from gpujob.errors import GpujobError

Status = Literal["ok", "note", "broken"]
Group = Literal["this machine", "the store", "the queue"]
Look = Callable[[], "Iterable[Finding]"]

LIMIT_S = 12.0

CHECKS: Mapping[str, Group] = {
    "store": "this machine",
    "old name": "this machine",
    "ffmpeg": "this machine",
    "models": "this machine",
    "gpu": "this machine",
    "credentials": "the store",
    "endpoint": "the store",
    "reach": "the store",
    "clock": "the store",
    "identity": "the store",
    "rights": "the store",
    "public": "the store",
    "checksums": "the store",
    "versions": "the store",
    "lifecycle": "the store",
    "lock": "the store",
    "encryption": "the store",
    "unseen": "the store",
    "safety": "the store",
    "queue": "the queue",
    "signing": "the queue",
    "workers": "the queue",
    "jobs": "the queue",
    "cost": "the queue",
}
"""Every check there is, in the order of the report. Programs may rely on these names."""


@dataclass(frozen=True)
class Finding:
    """One line of the report. `next` is what to do about it, `lines` are details, `facts` the same for programs."""

    check: str
    status: Status
    text: str
    next: str = ""
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> Group:
        """Where in the report it stands."""
        return CHECKS[self.check]

    def as_dict(self) -> dict[str, Any]:
        """The finding for --json."""
        named = {"group": self.group, "check": self.check, "status": self.status, "text": self.text}
        return {**named, "next": self.next, "facts": dict(self.facts)}


def broken(check: str, error: GpujobError) -> Finding:
    """An error as a finding, with its own next step."""
    from gpujob_cli.errors import explain

    told = explain(error)
    return Finding(check, "broken", told.message, told.hint)


def bounded(check: str, look: Look, *, limit_s: float = LIMIT_S, late: Status = "note") -> list[Finding]:
    """What a look finds within its limit; an end of the limit is a finding of `check`, as grave as `late`."""
    return list(together([(check, look)], limit_s=limit_s, late=late))


def together(
    looks: Sequence[tuple[str, Look]], *, limit_s: float = LIMIT_S, late: Status = "note", runtime: Runtime = SYSTEM
) -> Iterator[Finding]:
    """What several looks find at the same time, in their order; all of them have `limit_s` together."""
    until_s = runtime.elapsed() + limit_s
    started = [_Looking(check, look, runtime) for check, look in looks]
    for one in started:
        found, ended = one.found(until_s)
        yield from found
        if not ended:
            yield Finding(one.check, late, f"not known: no answer within {limit_s:g} s", "run `gpujob doctor` again")


class _Looking:
    """One look in a thread of its own. One that never ends ends with the process."""

    def __init__(self, check: str, look: Look, runtime: Runtime) -> None:
        self.check = check
        self._look = look
        self._runtime = runtime
        self._found: list[Finding] = []
        self._task = runtime.spawn(f"doctor-{check}", self._run)

    def found(self, until_s: float) -> tuple[list[Finding], bool]:
        """What has been found by then at the latest, and whether that is all."""
        self._task.join(max(0.0, until_s - self._runtime.elapsed()))
        ended = not self._task.is_alive()
        return list(self._found), ended

    def _run(self) -> None:
        from gpujob_cli.errors import explain

        try:
            for finding in self._look():
                self._found.append(finding)
        except GpujobError as error:
            self._found.append(broken(self.check, error))
        except Exception as error:  # noqa: BLE001  # a bug in one look must not hide what the others find
            told = explain(error)
            self._found.append(Finding(self.check, "broken", told.message, told.hint))
