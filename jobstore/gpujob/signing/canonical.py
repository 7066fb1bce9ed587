"""The bytes that are signed: a line that says what for, then the canonical JSON of a fixed list of fields.

Invariant: the bytes depend on the record's values alone, so that a record read from the bucket, written into another one
and read again is still signed. A field that a later version adds is not signed by version 1: what has to be, gets a
version of its own in the first line. docs/signing.md has the form for other implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpujob.records import Manifest, Record, Result, canonical_json

MANIFEST_DOMAIN = b"gpujob manifest 1\n"
RESULT_DOMAIN = b"gpujob result 1\n"
CACHE_DOMAIN = b"gpujob cache 1\n"

Fields = Mapping[str, Any]


def _all(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, True)


def _each(*names: str) -> dict[str, Any]:
    return {"__all__": _all(*names)}


MANIFEST_FIELDS: Fields = {
    **_all(
        "protocol", "id", "idempotency_key", "kind", "spec", "spec_sha256", "priority", "labels", "title",
        "submitted_by", "created_at", "ttl_s", "timeout_s", "requires", "warnings", "retry_of", "nonce",
    ),
    "retry": _all("max_attempts", "initial_s", "max_s"),
    "files": _each("name", "sha256", "size_bytes"),
}  # fmt: skip

RESULT_FIELDS: Fields = {
    **_all(
        "protocol", "id", "kind", "name", "state", "nonce", "epoch", "attempt", "failures", "losses", "releases",
        "spec_sha256", "created_at", "started_at", "finished_at", "worker", "engine", "output", "warnings", "log_chunks",
    ),
    "timings": _all("queue", "load", "run", "upload"),
    "artifacts": _each("name", "key", "media_type", "size_bytes", "sha256"),
    "error": _all("type", "message", "hint", "retryable", "attempt", "traceback"),
    "history": _each("attempt", "epoch", "worker", "ended", "at", "message"),
    "manifest": {**MANIFEST_FIELDS, "signature": _all("key", "value")},
}  # fmt: skip


def manifest_bytes(manifest: Manifest) -> bytes:
    """What a submitter signs. Raises ValueError for a number that JSON has not."""
    return MANIFEST_DOMAIN + _canonical(manifest, MANIFEST_FIELDS)


def result_bytes(result: Result) -> bytes:
    """What whoever ends a job signs. Raises ValueError for a number that JSON has not."""
    return RESULT_DOMAIN + _canonical(result, RESULT_FIELDS)


def step_bytes(digest: str, payload_sha256: str, size_bytes: int, facts: Mapping[str, Any]) -> bytes:
    """What a worker signs of a cached step. Raises ValueError for a number that JSON has not."""
    signed = {"digest": digest, "sha256": payload_sha256, "size_bytes": size_bytes, "facts": dict(facts)}
    return CACHE_DOMAIN + canonical_json(signed)


def _canonical(record: Record, fields: Fields) -> bytes:
    return canonical_json(record.model_dump(mode="json", include=dict(fields), exclude_none=True))
