"""How a job stands, as the line that is shown while somebody waits for it. Pure.

Invariant: the line's lasting text changes when the job's state, step or reason does; its percentage, the times in it and
a text that the job is writing may always.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gpujob.protocol.status import Status
from gpujob.records import Lease, Presence, Progress
from gpujob.why import Reason, eta_s, why
from gpujob_cli.output import Line
from gpujob_cli.text import clock

Workers = Sequence[tuple[Presence, float]]


@dataclass
class Pace:
    """How fast an attempt goes, from what was seen of it: the load before its first step does not count."""

    _seen: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)

    def left_s(self, lease: Lease, now: float) -> float | None:
        """Seconds until the attempt is done, or None while that cannot be told."""
        progress = lease.progress
        if progress.phase != "run" or progress.total <= 0 or progress.done <= 0:
            return None
        first_at, first_done = self._seen.setdefault((lease.id, lease.epoch), (now, progress.done))
        if progress.done > first_done and now > first_at:
            return (now - first_at) / (progress.done - first_done) * (progress.total - progress.done)
        return eta_s(progress, running_s=now - lease.started_at)


def line_of(status: Status, workers: Workers, *, now: float, ahead: int | None, pace: Pace) -> tuple[Line, Reason]:
    """The line for one job, and the reason behind it."""
    reason = why(status, workers, now=now, ahead=ahead)
    if reason.code == "running" and status.lease is not None:
        return _running(status.lease, workers, now, pace), reason
    attempt = status.lease.attempt if status.lease is not None else 1
    again = f" (attempt {attempt + 1})" if status.state == "queued" and status.lease is not None else ""
    head = f"{status.state}{again}: " if reason.text != status.state else ""
    hint = f". {reason.hint}" if reason.hint else ""
    return Line(f"{head}{reason.text}{hint}", lasting=f"{head}{reason.lasting or reason.text}{hint}"), reason


def _running(lease: Lease, workers: Workers, now: float, pace: Pace) -> Line:
    progress = lease.progress
    parts = [f"running on {worker_name(lease.worker, workers)}"]
    if lease.attempt > 1:
        parts.append(f"attempt {lease.attempt}")
    if progress.total > 0 and not progress.partial and not progress.message.startswith("step "):
        parts.append(f"step {progress.done:g}/{progress.total:g}")
    if progress.message:
        parts.append(progress.message)
    left_s = pace.left_s(lease, now)
    left = f"{clock(left_s)} left" if left_s is not None and progress.done < progress.total else ""
    return Line("  ".join(parts), fraction=_fraction(progress), left=left, growing=progress.partial)


def _fraction(progress: Progress) -> float | None:
    return min(1.0, max(0.0, progress.done / progress.total)) if progress.total > 0 else None


def worker_name(worker_id: str, workers: Workers) -> str:
    """The worker's id, with its GPU where it says that it has one."""
    for worker, _ in workers:
        gpu = worker.machine.get("gpu")
        if worker.id == worker_id and isinstance(gpu, str) and gpu:
            return f"{worker_id} ({gpu})"
    return worker_id


def line_of_many(done: int, total: int, waiting: Iterable[Status], reason: Reason) -> Line:
    """The line for several jobs together: `waiting` as far as it is known, `reason` that of the first which waits."""
    states = [status.state for status in waiting]
    counts = [f"{states.count(state)} {state}" for state in ("running", "queued") if state in states]
    text = ", ".join([f"{done} of {total} ended", *counts])
    if "running" in states or reason.code == "running":
        return Line(text, fraction=done / total)
    lasting = f"{text} ({reason.lasting or reason.text})"
    return Line(f"{text} ({reason.text})", fraction=done / total, lasting=lasting)
