"""The records in the bucket: what each object says, read with suspicion and written in one form.

Readers ignore unknown fields and refuse a higher major `protocol`. Whatever is read is untrusted: a body that is too
large, not JSON, of the wrong shape, with numbers that no clock or counter reaches, or under the wrong key is a
`CorruptRecord`, never a crash. All times are seconds since 1970 (store time where a decision rests on them), all
durations seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from gpujob.bounds import (
    MAX_COUNT,
    MAX_PRESENCE_EVERY_S,
    BeatSeconds,
    Count,
    Key,
    Kind,
    LeaseSeconds,
    Moment,
    Nonce,
    Plain,
    Seconds,
    Spent,
    Version,
)
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.ids import is_id
from gpujob.keys import PendingKey, Priority, parse_unique

PROTOCOL = 1
MAX_RECORD_BYTES = 2 * 1024 * 1024
MAX_MANIFEST_BYTES = 256 * 1024
MAX_PROGRESS_BYTES = 8 * 1024

ErrorType = Literal["out_of_memory", "timeout", "worker_lost", "invalid_input", "model_not_found", "engine", "storage"]
EndState = Literal["succeeded", "failed", "cancelled", "expired"]


class Record(BaseModel):
    """Base of all records: frozen, and blind to fields of a later minor version."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    def body(self) -> bytes:
        """The record as it goes into the bucket. Half a character, as in the name of a file, becomes a `?`."""
        try:
            return self.model_dump_json(exclude_none=True).encode()
        except PydanticSerializationError as error:
            if "surrogates" not in str(error):
                raise
            plain = self.model_dump(exclude_none=True)
            return json.dumps(plain, ensure_ascii=False, allow_nan=False).encode(errors="replace")


class RetryPolicy(Record):
    """How often and after what wait a failed attempt is tried again."""

    max_attempts: int = Field(3, ge=1, le=100)
    initial_s: float = Field(5.0, ge=0, le=86400)
    max_s: float = Field(120.0, ge=0, le=86400)


class Signature(Record):
    """An Ed25519 signature: the id of the public key that verifies it, and its 64 bytes in base64."""

    key: str = Field(pattern="^[0-9a-f]{16}$")
    value: str = Field(max_length=128)


class InputFile(Record):
    """An input file: its name for the job, and its content under inputs/sha256/."""

    name: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size_bytes: Count


class Manifest(Record):
    """A job as it was submitted. Never changes."""

    protocol: Version = PROTOCOL
    id: str
    idempotency_key: Key = None
    kind: Kind
    spec: Plain
    spec_sha256: str
    priority: Priority = "normal"
    labels: dict[str, str] = {}
    title: str | None = None
    submitted_by: str = ""
    created_at: Moment
    ttl_s: Seconds = 86400.0
    timeout_s: Seconds = 900.0
    retry: RetryPolicy = RetryPolicy()
    requires: Plain = {}
    files: tuple[InputFile, ...] = ()
    warnings: tuple[str, ...] = ()
    retry_of: str | None = None
    nonce: Nonce
    signature: Signature | None = None

    @property
    def input(self) -> Mapping[str, Any]:
        """What the job's executor gets; empty where somebody wrote anything but an object there."""
        found = self.spec.get("input")
        return found if isinstance(found, dict) else {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that the job asks for."""
        found = self.spec.get("secrets")
        return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()


class Hint(Record):
    """Says that a lease waits for a worker. Carries no authority: the lease decides."""

    protocol: Version = PROTOCOL
    hint: Literal[True] = True
    id: str
    kind: Kind
    priority: Priority
    not_before: Moment
    expires_at: Moment
    nonce: Nonce


class JobError(Record):
    """Why an attempt, or the job, failed."""

    type: ErrorType
    message: str
    hint: str | None = None
    retryable: bool = True
    attempt: Count = 0
    traceback: str | None = None


class Progress(Record):
    """How far an attempt is: `done` of `total` in the executor's own unit."""

    done: float = Field(0.0, ge=0, le=MAX_COUNT)
    total: float = Field(0.0, ge=0, le=MAX_COUNT)
    message: str = ""
    phase: str = "run"
    partial: str = ""


class PastAttempt(Record):
    """One line of a job's history."""

    attempt: Count
    epoch: Count
    worker: str
    ended: Literal["failed", "lost", "released"]
    at: Moment
    message: str = ""


class Lease(Record):
    """Who has a job, or why it waits. Replaced, never deleted, until done/ exists; counters only grow."""

    protocol: Version = PROTOCOL
    id: str
    manifest: Manifest
    state: Literal["run", "wait"]
    worker: str
    nonce: Nonce
    epoch: int = Field(ge=1, le=MAX_COUNT)
    attempt: int = Field(ge=1, le=MAX_COUNT)
    failures: Count = 0
    losses: Count = 0
    releases: Count = 0
    ttl_s: LeaseSeconds
    beat_s: BeatSeconds
    beat: Count = 0
    progress: Progress = Progress()
    not_before: Moment = 0.0
    expires_at: Moment
    started_at: Moment = 0.0
    error: JobError | None = None
    history: tuple[PastAttempt, ...] = ()


class Artifact(Record):
    """A file of a result."""

    name: str
    key: str
    media_type: str
    size_bytes: int = Field(alias="bytes", ge=0, le=2**63)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Timings(Record):
    """Where the time went, in seconds."""

    queue: Spent = 0.0
    load: Spent = 0.0
    run: Spent = 0.0
    upload: Spent = 0.0


class Result(Record):
    """How a job ended. Written once, if absent; never rewritten."""

    protocol: Version = PROTOCOL
    id: str
    kind: Kind
    name: str | None = None
    state: EndState
    nonce: Nonce
    epoch: Count = 0
    attempt: Count = 0
    failures: Count = 0
    losses: Count = 0
    releases: Count = 0
    spec_sha256: str = ""
    created_at: Moment = 0.0
    started_at: Moment | None = None
    finished_at: Moment = 0.0
    timings: Timings = Timings()
    worker: Plain = {}
    engine: Plain = {}
    output: Plain = {}
    warnings: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    log_chunks: Count = 0
    error: JobError | None = None
    history: tuple[PastAttempt, ...] = ()
    manifest: Manifest | None = None
    signature: Signature | None = None


class Presence(Record):
    """A worker that lives, as it was within the last minute; `control` is an operator's word to it."""

    protocol: Version = PROTOCOL
    id: str
    session: str
    started_at: Moment
    version: str = ""
    kinds: tuple[str, ...] = ()
    formats: dict[str, tuple[str, ...]] = {}
    warm: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    trusts: tuple[str, ...] = ()
    machine: Plain = {}
    warnings: tuple[str, ...] = ()
    state: Literal["idle", "loading", "busy", "draining"] = "idle"
    job: str | None = None
    jobs_done: Count = 0
    every_s: float = Field(60.0, gt=0, le=MAX_PRESENCE_EVERY_S)
    control: Literal["", "drain", "stop"] = ""
    beat: Count = 0


class JobDefaults(Record):
    """What a queue fills into specs that do not say."""

    ttl_s: Seconds = 86400.0
    timeout_s: Seconds = 900.0
    max_attempts: int = Field(3, ge=1, le=100)


class QueueConfig(Record):
    """queue.json: what holds for the whole queue."""

    protocol: Version = PROTOCOL
    created_at: Moment = 0.0
    ttl_s: LeaseSeconds = 30.0
    beat_s: BeatSeconds = 10.0
    retention_s: Seconds = 30 * 86400.0
    defaults: JobDefaults = JobDefaults()
    etag_style: Literal["quoted", "unquoted"] = "quoted"
    verdict: Plain = {}
    signed: bool = False
    nonce: str = ""

    @model_validator(mode="after")
    def _beats_in_time(self) -> Self:
        if self.beat_s >= self.ttl_s:
            raise ValueError("a lease with this ttl_s would end before its first beat (beat_s)")
        return self


R = TypeVar("R", bound=Record)


def decode(model: type[R], key: str, body: bytes, *, whose: str | None = None, max_bytes: int = MAX_RECORD_BYTES) -> R:
    """The record in `body`; `CorruptRecord` or `WrongProtocol` with the key and the reason otherwise.

    With `whose`, the id in the key, it must be that of the record: a copy under another key has no say.
    """
    if len(body) > max_bytes:
        raise CorruptRecord(f"{key}: larger than {max_bytes} bytes")
    try:
        record = model.model_validate_json(body)
    except ValidationError as error:
        newer = _newer_protocol(body)
        if newer:
            raise _wrong(key, newer) from None
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        raise CorruptRecord(f"{key}: {where}: {first['msg']}" if where else f"{key}: {first['msg']}") from None
    protocol = getattr(record, "protocol", PROTOCOL)
    if protocol > PROTOCOL:
        raise _wrong(key, protocol)
    if whose is not None:
        _require_id(key, record, whose)
    return record


def _require_id(key: str, record: Record, whose: str) -> None:
    """Raises CorruptRecord unless the record, and the manifest in it, are of the job or worker that the key names."""
    within = getattr(record, "manifest", None)
    for found in (getattr(record, "id", None), whose if within is None else within.id):
        if found != whose:
            raise CorruptRecord(f"{key}: the record in it is that of {str(found)[:60]!r}")


def waiting_job(key: str, body: bytes, where: PendingKey) -> Manifest:
    """The manifest under a pending key, which must say of the job what the key says. Errors as of `decode`."""
    manifest = decode(Manifest, key, body, whose=where.id)
    if (manifest.kind, manifest.priority) != (where.kind, where.priority):
        raise CorruptRecord(f"{key}: the manifest in it is of kind {manifest.kind} and priority {manifest.priority}")
    return manifest


def held_key(key: str, body: bytes) -> Manifest:
    """The manifest under unique/: that of a job of this name, with the spec that it says it has. Errors as of `decode`."""
    manifest = decode(Manifest, key, body)
    if not is_id(manifest.id):
        raise CorruptRecord(f"{key}: {manifest.id[:60]!r} in it is no job id")
    if manifest.idempotency_key != parse_unique(key):
        raise CorruptRecord(f"{key}: the job {manifest.id} in it has another idempotency key")
    if not keeps_its_word(manifest):
        raise CorruptRecord(f"{key}: the spec_sha256 of the job {manifest.id} in it is not that of its spec and files")
    return manifest


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


def content_sha256(spec: Mapping[str, Any], files: Iterable[InputFile]) -> str:
    """What a manifest's `spec_sha256` says: the hash of its spec and its files' content, but not of its idempotency key."""
    content = {name: value for name, value in spec.items() if name != "idempotency_key"}
    return sha256_of(content | {"files": [file.model_dump() for file in files]})


def keeps_its_word(manifest: Manifest) -> bool:
    """Whether a manifest's `spec_sha256` is that of its spec and files, computed anew."""
    try:
        return content_sha256(manifest.spec, manifest.files) == manifest.spec_sha256
    except (ValueError, RecursionError):
        return False


def _newer_protocol(body: bytes) -> int:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return 0
    protocol = parsed.get("protocol") if isinstance(parsed, dict) else None
    return protocol if isinstance(protocol, int) and PROTOCOL < protocol <= MAX_COUNT else 0


def _wrong(key: str, protocol: int) -> WrongProtocol:
    return WrongProtocol(
        f"{key} speaks protocol {protocol}; this gpujob speaks {PROTOCOL}", hint="Upgrade gpujob on this machine."
    )
