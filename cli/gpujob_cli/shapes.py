"""The JSON of --json: one shape for a job wherever it appears, times in ISO 8601 UTC, durations in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpujob.protocol.status import Status
from gpujob.records import Lease, Manifest, Result
from gpujob_cli.text import iso


def of_manifest(manifest: Manifest, *, state: str = "queued", already: bool | None = None) -> dict[str, Any]:
    """A job that has not been claimed."""
    shape: dict[str, Any] = {
        "id": manifest.id,
        "kind": manifest.kind,
        "state": state,
        "title": manifest.title,
        "idempotency_key": manifest.idempotency_key,
        "priority": manifest.priority,
        "labels": manifest.labels,
        "submitted_by": manifest.submitted_by,
        "created_at": iso(manifest.created_at),
        "retry_of": manifest.retry_of,
    }
    return shape if already is None else shape | {"already": already}


def of_lease(lease: Lease, *, state: str) -> dict[str, Any]:
    """A job that a worker has, or that waits for its next attempt."""
    return of_manifest(lease.manifest, state=state) | {
        "attempt": lease.attempt,
        "failures": lease.failures,
        "losses": lease.losses,
        "releases": lease.releases,
        "worker": {"id": lease.worker},
        "started_at": iso(lease.started_at),
        "not_before": iso(lease.not_before),
        "expires_at": iso(lease.expires_at),
        "progress": lease.progress.model_dump(),
        "error": lease.error.model_dump() if lease.error else None,
    }


def of_result(result: Result, *, files: Sequence[Path] | None = None) -> dict[str, Any]:
    """A job that has ended; `files` are the paths it was downloaded to."""
    base = of_manifest(result.manifest) if result.manifest is not None else {"id": result.id, "kind": result.kind}
    shape = base | {
        "state": result.state,
        "attempt": result.attempt,
        "failures": result.failures,
        "losses": result.losses,
        "releases": result.releases,
        "created_at": iso(result.created_at),
        "started_at": iso(result.started_at),
        "finished_at": iso(result.finished_at),
        "timings": result.timings.model_dump(),
        "worker": result.worker,
        "engine": result.engine,
        "output": result.output,
        "warnings": list(result.warnings),
        "artifacts": [artifact.model_dump() for artifact in result.artifacts],
        "error": result.error.model_dump() if result.error else None,
    }
    return shape if files is None else shape | {"files": [str(path) for path in files]}


def of_status(status: Status) -> dict[str, Any]:
    """A job wherever it is."""
    if status.result is not None:
        return of_result(status.result)
    if status.lease is not None:
        return of_lease(status.lease, state=status.state)
    assert status.pending is not None
    return of_manifest(status.pending, state=status.state)
