"""A job in words, the same in every command that shows one."""

from __future__ import annotations

from typing import Any

from gpujob import ids
from gpujob.protocol.status import Status
from gpujob.records import Lease, Result
from gpujob.specs.quantities import format_duration, format_size
from gpujob.why import Reason, eta_s
from gpujob_cli.shapes import of_status
from gpujob_cli.text import ago, iso

HEADER = ("ID", "STATE", "KIND", "AGE", "NAME", "DETAIL")


def created_at(status: Status) -> float:
    """When the job was submitted, by its submitter's clock."""
    manifest = status.manifest
    return manifest.created_at if manifest is not None else ids.created_at(status.id)


def kind_of(status: Status) -> str:
    """The job's kind."""
    manifest = status.manifest
    if manifest is not None:
        return manifest.kind
    return status.result.kind if status.result is not None else "?"


def attempt_of(status: Status) -> int:
    """The number of the latest attempt; 0 before the first."""
    record = status.result or status.lease
    return 0 if record is None else record.attempt


def row(status: Status, now: float) -> list[str]:
    """A line of `ls`."""
    manifest = status.manifest
    name = "" if manifest is None else manifest.title or manifest.idempotency_key or ""
    return [
        status.id,
        status.state,
        kind_of(status),
        ago(max(0.0, now - created_at(status))),
        name,
        detail(status, now),
    ]


def detail(status: Status, now: float) -> str:
    """What is worth knowing at a glance."""
    if status.result is not None:
        return _end(status.result)
    if status.lease is None:
        return ""
    lease = status.lease
    if lease.state == "run":
        return f"on {lease.worker}{steps(lease)}"
    if lease.error is not None:
        return f"attempt {lease.attempt} failed: {first_line(lease.error.message)}"
    return f"given back by {lease.worker}"


def _end(result: Result) -> str:
    if result.error is not None:
        return f"{result.error.type}: {first_line(result.error.message)}"
    return files(result) if result.state == "succeeded" else ""


def files(result: Result) -> str:
    """`14 files, 11.9 MB`."""
    count = len(result.artifacts)
    size = format_size(sum(one.size_bytes for one in result.artifacts))
    return f"{count} file{'' if count == 1 else 's'}, {size}" if count else "no files"


def steps(lease: Lease) -> str:
    """`, step 3/12`, or nothing."""
    progress = lease.progress
    return f", step {progress.done:g}/{progress.total:g}" if progress.total > 0 else ""


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def times(result: Result) -> str:
    """`queue 38s, load 0s, run 31s, upload 3s`."""
    return ", ".join(f"{name} {format_duration(value)}" for name, value in result.timings.model_dump().items())


def worker_of(status: Status) -> str | None:
    """The worker that has the job, or had it last."""
    if status.result is not None:
        found = status.result.worker.get("id")
        return found if isinstance(found, str) else None
    return None if status.lease is None else status.lease.worker


def signed_with(status: Status) -> dict[str, str | None]:
    """The ids of the keys that the job and its result say they are signed with; None for one that is not."""
    records = {"job": status.manifest, "result": status.result}
    signatures = {what: record.signature if record is not None else None for what, record in records.items()}
    return {what: signature.key if signature is not None else None for what, signature in signatures.items()}


def full(status: Status, reason: Reason, now: float) -> dict[str, Any]:
    """A job as `show --json` gives it: its shape, and why, from what spec, after which attempts, for how long still."""
    found = of_status(status)
    found["reason"] = {"code": reason.code, "text": reason.text, "hint": reason.hint}
    found["spec"] = status.manifest.spec if status.manifest is not None else None
    record = status.result or status.lease
    found["attempts"] = [{**past.model_dump(), "at": iso(past.at)} for past in record.history] if record else []
    if status.lease is not None and status.lease.state == "run":
        found["eta_s"] = eta_s(status.lease.progress, running_s=now - status.lease.started_at)
    return found
