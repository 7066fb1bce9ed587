"""Why a job waits, or how far it is: one sentence from what the bucket says. Pure but for `ask` and `jobs_ahead`.

Invariant: a reason never promises more than is known; times are "about" unless the store's own records fix them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gpujob import keys
from gpujob.decisions import margin_s
from gpujob.protocol.context import Context
from gpujob.protocol.presence import live_workers
from gpujob.protocol.status import Status
from gpujob.records import Lease, Manifest, Presence, Progress
from gpujob.specs.quantities import format_duration, format_size, parse_size

Code = Literal[
    "ended",
    "running",
    "loading",
    "worker_vanished",
    "backing_off",
    "no_worker",
    "no_worker_for_kind",
    "no_worker_fits",
    "draining",
    "workers_busy",
    "starting",
]
Workers = Sequence[tuple[Presence, float]]

MANY = 1000


@dataclass(frozen=True)
class Reason:
    """Why a job is where it is: a code for programs, a sentence for people, and what they can do.

    `lasting` is the sentence without what changes all the time, where something in it does.
    """

    code: Code
    text: str
    hint: str = ""
    lasting: str = ""


def why(status: Status, workers: Workers, *, now: float, ahead: int | None = None) -> Reason:
    """The reason for a job's state. `now` is the store's clock, `ahead` the number of jobs before this one."""
    if status.result is not None:
        return Reason("ended", status.state)
    lease = status.lease
    if lease is not None and lease.state == "run":
        return _of_run(lease, status.lease_modified, workers, now)
    manifest = status.manifest
    assert manifest is not None
    hindrance = obstacle(manifest, [worker for worker, _ in workers])
    if hindrance is not None:
        return hindrance
    if lease is not None and lease.not_before > now:
        return _backing_off(lease, now)
    return _in_line(manifest, [worker for worker, _ in workers], ahead)


def ask(ctx: Context, status: Status) -> Reason:
    """The reason by what the bucket says now: the workers, and for a job in line one or a few listings of pending/."""
    if status.result is not None:
        return why(status, (), now=0.0)
    workers = live_workers(ctx)
    ahead = None
    if status.pending is not None:
        ahead = jobs_ahead(ctx, status.pending, rivals(status.pending, workers) or None)
    return why(status, workers, now=ctx.store_now(), ahead=ahead)


def eta_s(progress: Progress, *, running_s: float) -> float | None:
    """Seconds until the attempt is done if it goes on at its pace; None while that cannot be told."""
    if progress.phase != "run" or running_s <= 0 or not 0 < progress.done <= progress.total:
        return None
    left_s = running_s / progress.done * (progress.total - progress.done)
    return left_s if math.isfinite(left_s) else None


def jobs_ahead(ctx: Context, manifest: Manifest, kinds: Collection[str] | None = None) -> int:
    """How many jobs wait before this one: higher ones, and older ones of its level; `MANY` at most, from a listing each.

    With `kinds`, only jobs of these kinds count.
    """
    ahead = 0
    for priority, level in keys.LEVELS.items():
        if level > keys.LEVELS[manifest.priority]:
            break
        for entry in ctx.list(keys.pending_prefix(priority), limit=MANY).entries:
            where = keys.parse_pending(entry.key)
            if where is None or (kinds is not None and where.kind not in kinds):
                continue
            if where.id != manifest.id and (priority != manifest.priority or where.id < manifest.id):
                ahead += 1
    return min(ahead, MANY)


def rivals(manifest: Manifest, workers: Workers) -> set[str]:
    """The kinds whose jobs compete with this one: all that its workers serve."""
    return {kind for worker, _ in workers if manifest.kind in worker.kinds for kind in worker.kinds}


# -- a job that runs


def _of_run(lease: Lease, modified: float, workers: Workers, now: float) -> Reason:
    silent_s = now - modified
    if silent_s > 2 * lease.beat_s + margin_s(lease.ttl_s):
        return _vanished(lease, silent_s, workers)
    on = _called(lease.worker, workers)
    progress = lease.progress
    if progress.phase == "load" or any(w.id == lease.worker and w.state == "loading" for w, _ in workers):
        text = f"{on} is loading a model"
        return Reason("loading", text + _share(progress), lasting=text)
    return Reason("running", f"running on {on}{_how_far(progress, now - lease.started_at)}")


def _share(progress: Progress) -> str:
    """How much of a model is there, where that is known."""
    if progress.phase != "load" or progress.total <= 0:
        return ""
    return f", {100 * min(1.0, progress.done / progress.total):.0f} %"


def _vanished(lease: Lease, silent_s: float, workers: Workers) -> Reason:
    others = [w for w, _ in workers if w.id != lease.worker and lease.manifest.kind in w.kinds]
    text = f"its worker {lease.worker} has not been heard of"
    silent = f"its worker {lease.worker} has not been heard of for {round(silent_s)} s"
    left_s = lease.ttl_s + margin_s(lease.ttl_s) - silent_s
    if not others:
        alone = ", and no other live worker can take over"
        return Reason("worker_vanished", silent + alone, START_ONE, lasting=text + alone)
    soon = f"{silent}; another takes over in about {max(1, round(left_s))} s"
    return Reason("worker_vanished", soon, lasting=f"{text}; another takes over")


def _how_far(progress: Progress, running_s: float) -> str:
    parts = []
    if progress.total > 0:
        parts.append(f"step {progress.done:g} of {progress.total:g}")
    if progress.message:
        parts.append(progress.message)
    left_s = eta_s(progress, running_s=running_s)
    if left_s is not None and progress.done < progress.total:
        parts.append(f"about {format_duration(max(1.0, round(left_s)))} left")
    return "".join(f", {part}" for part in parts)


def _called(worker_id: str, workers: Workers) -> str:
    for worker, _ in workers:
        gpu = worker.machine.get("gpu")
        if worker.id == worker_id and isinstance(gpu, str) and gpu:
            return f"{worker_id} ({gpu})"
    return worker_id


# -- a job that waits

START_ONE = "Start one with `gpujob worker run`."


def obstacle(manifest: Manifest, workers: Sequence[Presence]) -> Reason | None:
    """Why no live worker would ever take the job; None where one would."""
    if not workers:
        return Reason("no_worker", "no live worker", START_ONE)
    serving = [worker for worker in workers if manifest.kind in worker.kinds]
    if not serving:
        others = f"{len(workers)} live worker{'s serve' if len(workers) > 1 else ' serves'} other kinds"
        return Reason("no_worker_for_kind", f"no live worker serves {manifest.kind}; {others}", START_ONE)
    needed = _gpu_bytes(manifest.requires.get("gpu_memory"))
    if needed and not any(gpu_memory_bytes(worker) >= needed for worker in serving):
        most = max(gpu_memory_bytes(worker) for worker in serving)
        text = f"no worker has {format_size(needed)} of GPU memory; the most that any has is {format_size(most)}"
        return Reason("no_worker_fits", text, "Start a bigger one, or submit it with a smaller requires.gpu_memory.")
    names = set(manifest.secrets)
    if names and not any(names <= set(worker.secrets) for worker in serving):
        text = f"no worker gives jobs the secret {' or '.join(sorted(names))}"
        return Reason("no_worker_fits", text, "Name it in the worker's GPUJOB_ALLOW_SECRETS, and set it there.")
    if not any(_takes(worker, manifest) for worker in serving):
        return _not_trusted(manifest)
    if all(worker.state == "draining" or worker.control for worker in serving):
        return Reason("draining", f"every live worker that serves {manifest.kind} is leaving", START_ONE)
    return None


def _takes(worker: Presence, manifest: Manifest) -> bool:
    """Whether a worker says that it trusts the key which the job says it is signed with. No proof of either."""
    return not worker.trusts or (manifest.signature is not None and manifest.signature.key in worker.trusts)


def _not_trusted(manifest: Manifest) -> Reason:
    if manifest.signature is None:
        hint = "`gpujob keys new` makes a key, GPUJOB_SIGN_WITH names it: then submit the job again."
        return Reason("no_worker_fits", "the workers take signed jobs only, and this one is not signed", hint)
    text = f"no worker trusts the key {manifest.signature.key} that signed it"
    return Reason("no_worker_fits", text, "Name its public half in the workers' GPUJOB_TRUST_SUBMITTERS.")


def gpu_memory_bytes(worker: Presence) -> int:
    """The GPU memory that a worker says it has."""
    return _gpu_bytes(worker.machine.get("gpu_memory"))


def _gpu_bytes(value: Any) -> int:
    try:
        return parse_size(value) if isinstance(value, str | int) else 0
    except ValueError:
        return 0


def _backing_off(lease: Lease, now: float) -> Reason:
    left = format_duration(max(1.0, math.ceil(lease.not_before - now)))
    error = f" ({lease.error.message.splitlines()[0][:120]})" if lease.error and lease.error.message.strip() else ""
    attempts = f"; attempt {lease.attempt + 1} follows" if lease.error else ""
    text = f"backing off after an error{error}, {left} left{attempts}"
    return Reason("backing_off", text, lasting=f"backing off after an error{error}{attempts}")


def _in_line(manifest: Manifest, workers: Sequence[Presence], ahead: int | None) -> Reason:
    serving = [worker for worker in workers if manifest.kind in worker.kinds]
    place = "" if ahead is None else f", you are {_ordinal(ahead + 1)}"
    if any(worker.state == "idle" and not worker.control for worker in serving):
        idle = [worker for worker in serving if worker.state == "idle" and not worker.control]
        if ahead is not None and ahead < len(idle):
            return Reason("starting", f"{_count(serving)} live ({_names(serving, manifest)}); it starts in a moment")
        return Reason("starting", f"{_count(serving)} live ({_names(serving, manifest)}){place}")
    if all(worker.state in ("loading", "draining") for worker in serving):
        loading = next(worker for worker in serving if worker.state == "loading")
        return Reason("loading", f"the worker {loading.id} is loading a model{place}")
    return Reason("workers_busy", f"{'all ' if len(serving) > 1 else ''}{_count(serving)} busy{place}")


def _count(workers: Sequence[Presence]) -> str:
    return f"{len(workers)} worker" + ("s" if len(workers) > 1 else "")


def _names(workers: Sequence[Presence], manifest: Manifest) -> str:
    shown = [w.id + (f", warm for {manifest.kind}" if manifest.kind in w.warm else "") for w in workers[:3]]
    return "; ".join(shown) + ("; ..." if len(workers) > 3 else "")


def _ordinal(number: int) -> str:
    if number > MANY:
        return f"behind {MANY} others or more"
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
