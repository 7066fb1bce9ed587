"""From a spec to the manifest that goes into the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpujob.errors import InvalidSpec
from gpujob.records import MAX_MANIFEST_BYTES, InputFile, Manifest, QueueConfig, RetryPolicy, content_sha256

if TYPE_CHECKING:
    from gpujob.specs import Spec


def queue_defaults(config: QueueConfig) -> dict[str, Any]:
    """What the queue fills into specs that do not say, in the spec's own words."""
    defaults = config.defaults
    return {
        "ttl": defaults.ttl_s,
        "timeout": defaults.timeout_s,
        "retry": {"max_attempts": defaults.max_attempts},
    }


def make(
    spec: Spec,
    *,
    job_id: str,
    nonce: str,
    now: float,
    config: QueueConfig,
    files: tuple[InputFile, ...] = (),
    submitted_by: str = "",
    retry_of: str | None = None,
) -> Manifest:
    """The manifest of `spec`. Its `spec_sha256` covers the spec and the content of its files, not the key or the id."""
    canonical = spec.canonical(queue_defaults(config))
    retry = canonical["retry"]
    manifest = Manifest(
        id=job_id,
        idempotency_key=canonical.get("idempotency_key"),
        kind=canonical["kind"],
        spec=dict(canonical),
        spec_sha256=content_sha256(canonical, files),
        priority=canonical["priority"],
        labels=canonical.get("labels") or {},
        title=canonical.get("title"),
        submitted_by=submitted_by,
        created_at=now,
        ttl_s=canonical["ttl"],
        timeout_s=canonical["timeout"],
        retry=RetryPolicy(
            max_attempts=retry["max_attempts"],
            initial_s=retry["backoff"]["initial"],
            max_s=retry["backoff"]["max"],
        ),
        requires=canonical.get("requires") or {},
        files=files,
        warnings=spec.warnings,
        retry_of=retry_of,
        nonce=nonce,
    )
    if len(manifest.body()) > MAX_MANIFEST_BYTES:
        raise InvalidSpec(
            f"the job's manifest is larger than {MAX_MANIFEST_BYTES // 1024} KiB",
            hint="Split the job, or pass large texts as files.",
        )
    return manifest
