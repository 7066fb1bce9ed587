"""Results built from leases and manifests; pure."""

from __future__ import annotations

from typing import Any

from gpujob.records import EndState, JobError, Lease, Manifest, Result, Timings


def ended(lease: Lease, state: EndState, *, now: float, error: JobError | None = None, **more: Any) -> Result:
    """The result of a job that the holder of `lease` ends; `more` are further fields of Result."""
    manifest = lease.manifest
    fields: dict[str, Any] = {
        "nonce": lease.nonce,
        "epoch": lease.epoch,
        "attempt": lease.attempt,
        "failures": lease.failures + (state == "failed" and error is not None and error.type != "worker_lost"),
        "losses": lease.losses,
        "releases": lease.releases,
        "started_at": lease.started_at or None,
        "timings": Timings(queue=queue_s(lease)),
        "history": lease.history,
    }
    return _of(manifest, state, now, error, fields | more)


def queue_s(lease: Lease) -> float:
    """Seconds from the job's arrival in the store to the start of this attempt, by the store's clock."""
    return max(0.0, lease.started_at - (lease.expires_at - lease.manifest.ttl_s))


def ended_unclaimed(manifest: Manifest, state: EndState, *, nonce: str, now: float) -> Result:
    """The result of a job that ends before any worker had it."""
    return _of(manifest, state, now, None, {"nonce": nonce})


def _of(manifest: Manifest, state: EndState, now: float, error: JobError | None, more: dict[str, Any]) -> Result:
    return Result(
        id=manifest.id,
        kind=manifest.kind,
        name=manifest.idempotency_key or manifest.title,
        state=state,
        spec_sha256=manifest.spec_sha256,
        created_at=manifest.created_at,
        finished_at=now,
        error=error,
        manifest=manifest,
        **more,
    )
