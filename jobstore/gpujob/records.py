"""The records in the bucket: what each object says, read with suspicion and written in one form.

Readers ignore unknown fields and refuse a higher major `protocol`. Whatever is read is untrusted: a body that is too
large, not JSON, of the wrong shape or under the wrong key is a `CorruptRecord`, never a crash. All times are seconds
since 1970 (store time where a decision rests on them), all durations seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.keys import Priority

PROTOCOL = 1
MAX_RECORD_BYTES = 1024 * 1024
MAX_MANIFEST_BYTES = 256 * 1024
MAX_PROGRESS_BYTES = 8 * 1024

ErrorType = Literal["out_of_memory", "timeout", "worker_lost", "invalid_input", "model_not_found", "engine", "storage"]
EndState = Literal["succeeded", "failed", "cancelled", "expired"]


class Record(BaseModel):
    """Base of all records: frozen, and blind to fields of a later minor version."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    def body(self) -> bytes:
        """The record as it goes into the bucket."""
        return self.model_dump_json(exclude_none=True).encode()


class RetryPolicy(Record):
    """How often and after what wait a failed attempt is tried again."""

    max_attempts: int = Field(3, ge=1, le=100)
    initial_s: float = Field(5.0, ge=0, le=86400)
    max_s: float = Field(120.0, ge=0, le=86400)


class InputFile(Record):
    """An input file: its name for the job, and its content under inputs/sha256/."""

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class Manifest(Record):
    """A job as it was submitted. Never changes."""

    protocol: int = PROTOCOL
    id: str
    idempotency_key: str | None = None
    kind: str
    spec: dict[str, Any]
    spec_sha256: str
    priority: Priority = "normal"
    labels: dict[str, str] = {}
    title: str | None = None
    submitted_by: str = ""
    created_at: float
    ttl_s: float = Field(86400.0, gt=0)
    timeout_s: float = Field(900.0, gt=0)
    retry: RetryPolicy = RetryPolicy()
    requires: dict[str, Any] = {}
    files: tuple[InputFile, ...] = ()
    warnings: tuple[str, ...] = ()
    retry_of: str | None = None
    nonce: str


class Hint(Record):
    """Says that a lease waits for a worker. Carries no authority: the lease decides."""

    protocol: int = PROTOCOL
    hint: Literal[True] = True
    id: str
    kind: str
    priority: Priority
    not_before: float
    expires_at: float
    nonce: str


class JobError(Record):
    """Why an attempt, or the job, failed."""

    type: ErrorType
    message: str
    hint: str | None = None
    retryable: bool = True
    attempt: int = 0
    traceback: str | None = None


class Progress(Record):
    """How far an attempt is: `done` of `total` in the executor's own unit."""

    done: float = 0.0
    total: float = 0.0
    message: str = ""
    phase: str = "run"
    partial: str = ""


class PastAttempt(Record):
    """One line of a job's history."""

    attempt: int
    epoch: int
    worker: str
    ended: Literal["failed", "lost", "released"]
    at: float
    message: str = ""


class Lease(Record):
    """Who has a job, or why it waits. Replaced, never deleted, until done/ exists; counters only grow."""

    protocol: int = PROTOCOL
    id: str
    manifest: Manifest
    state: Literal["run", "wait"]
    worker: str
    nonce: str
    epoch: int = Field(ge=1)
    attempt: int = Field(ge=1)
    failures: int = 0
    losses: int = 0
    releases: int = 0
    ttl_s: float = Field(gt=0)
    beat_s: float = Field(gt=0)
    beat: int = 0
    progress: Progress = Progress()
    not_before: float = 0.0
    expires_at: float
    started_at: float = 0.0
    error: JobError | None = None
    history: tuple[PastAttempt, ...] = ()


class Artifact(Record):
    """A file of a result."""

    name: str
    key: str
    media_type: str
    size_bytes: int = Field(alias="bytes", ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, serialize_by_alias=True)


class Timings(Record):
    """Where the time went, in seconds."""

    queue: float = 0.0
    load: float = 0.0
    run: float = 0.0
    upload: float = 0.0


class Result(Record):
    """How a job ended. Written once, if absent; never rewritten."""

    protocol: int = PROTOCOL
    id: str
    kind: str
    name: str | None = None
    state: EndState
    nonce: str
    epoch: int = 0
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    releases: int = 0
    spec_sha256: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float = 0.0
    timings: Timings = Timings()
    worker: dict[str, Any] = {}
    engine: dict[str, Any] = {}
    output: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    log_chunks: int = 0
    error: JobError | None = None
    history: tuple[PastAttempt, ...] = ()
    manifest: Manifest | None = None


class Presence(Record):
    """A worker that lives, as it was within the last minute; `control` is an operator's word to it."""

    protocol: int = PROTOCOL
    id: str
    session: str
    started_at: float
    version: str = ""
    kinds: tuple[str, ...] = ()
    formats: dict[str, tuple[str, ...]] = {}
    warm: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    machine: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
    state: Literal["idle", "loading", "busy", "draining"] = "idle"
    job: str | None = None
    jobs_done: int = 0
    every_s: float = 60.0
    control: Literal["", "drain", "stop"] = ""
    beat: int = 0


class JobDefaults(Record):
    """What a queue fills into specs that do not say."""

    ttl_s: float = Field(86400.0, gt=0)
    timeout_s: float = Field(900.0, gt=0)
    max_attempts: int = Field(3, ge=1, le=100)


class QueueConfig(Record):
    """queue.json: what holds for the whole queue."""

    protocol: int = PROTOCOL
    created_at: float = 0.0
    ttl_s: float = Field(30.0, gt=0)
    beat_s: float = Field(10.0, gt=0)
    retention_s: float = Field(30 * 86400.0, gt=0)
    defaults: JobDefaults = JobDefaults()
    etag_style: Literal["quoted", "unquoted"] = "quoted"
    verdict: dict[str, Any] = {}
    nonce: str = ""


R = TypeVar("R", bound=Record)


def decode(model: type[R], key: str, body: bytes, *, max_bytes: int = MAX_RECORD_BYTES) -> R:
    """The record in `body`; `CorruptRecord` or `WrongProtocol` with the key and the reason otherwise."""
    if len(body) > max_bytes:
        raise CorruptRecord(f"{key}: larger than {max_bytes} bytes")
    try:
        record = model.model_validate_json(body)
    except ValidationError as error:
        newer = _newer_protocol(body)
        if newer:
            raise _wrong(key, newer) from None
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorruptRecord(f"{key}: {where}: {first['msg']}" if where else f"{key}: {first['msg']}") from None
    protocol = getattr(record, "protocol", PROTOCOL)
    if protocol > PROTOCOL:
        raise _wrong(key, protocol)
    return record


def is_hint(body: bytes) -> bool:
    """Whether a pending body is a hint rather than a manifest."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and parsed.get("hint") is True


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_of(value: Mapping[str, Any]) -> str:
    """The sha256 of a JSON object's canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _newer_protocol(body: bytes) -> int:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return 0
    protocol = parsed.get("protocol") if isinstance(parsed, dict) else None
    return protocol if isinstance(protocol, int) and protocol > PROTOCOL else 0


def _wrong(key: str, protocol: int) -> WrongProtocol:
    return WrongProtocol(
        f"{key} speaks protocol {protocol}; this gpujob speaks {PROTOCOL}", hint="Upgrade gpujob on this machine."
    )
