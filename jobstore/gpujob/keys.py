"""Every key in the bucket, built and parsed here and nowhere else.

pending/<p>/<id>.<kind>.json     a job waits (p = 1 high, 5 normal, 9 low)
leased/<id>.json                 a worker has it, or it waits for its next attempt
done/<id>.json                   it ended
unique/<key>.json                an idempotency key
artifacts/<id>/<epoch>-<nonce>/  files and log chunks of one attempt
inputs/sha256/<hash>             input files, by content
cache/<hash>.json, cache/<hash>-<sha256>.bin
workers/<worker>.json            presence
models/<sha256>                  model files, by content, for machines that lack them
dist/<sha256>/<file>             wheels of gpujob itself, by content, for workers elsewhere
queue.json
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from gpujob.errors import UnsafeName
from gpujob.ids import is_id

Priority = Literal["high", "normal", "low"]
LEVELS: dict[Priority, int] = {"high": 1, "normal": 5, "low": 9}
PRIORITIES: dict[int, Priority] = {level: name for name, level in LEVELS.items()}

PENDING = "pending/"
LEASED = "leased/"
DONE = "done/"
UNIQUE = "unique/"
ARTIFACTS = "artifacts/"
INPUTS = "inputs/sha256/"
CACHE = "cache/"
MODELS = "models/"
WORKERS = "workers/"
DIST = "dist/"
QUEUE = "queue.json"

KIND = r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*"
_KIND = re.compile(KIND)
_PENDING_KEY = re.compile(rf"pending/([159])/([0-9a-z]{{26}})\.({KIND})\.json")
_ARTIFACT = re.compile(r"artifacts/([0-9a-z]{26})/(\d+)-([0-9a-f]{32})/(.+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_IDEMPOTENCY_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,194}\.whl")
_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,126}")


class PendingKey(NamedTuple):
    """What a pending key says without a GET."""

    priority: Priority
    id: str
    kind: str


class ArtifactKey(NamedTuple):
    """What an artifact's key says."""

    id: str
    epoch: int
    nonce: str
    name: str


def folder_of(key: str) -> str:
    """The part of the queue that a key is in: `pending/`, `done/`, ..., or the key itself where it stands beside them."""
    head, slash, _ = key.partition("/")
    return head + slash


def pending(priority: Priority, job_id: str, kind: str) -> str:
    """The key under which a job waits."""
    if not _KIND.fullmatch(kind):
        raise UnsafeName(f"{kind!r} is not a kind: lower-case words joined by dots are")
    return f"{PENDING}{LEVELS[priority]}/{job_id}.{kind}.json"


def pending_prefix(priority: Priority, job_id: str = "") -> str:
    """The prefix of all jobs of one level whose id begins with `job_id`."""
    return f"{PENDING}{LEVELS[priority]}/{job_id}"


def parse_pending(key: str) -> PendingKey | None:
    """The parts of a pending key, or None for a foreign one."""
    match = _PENDING_KEY.fullmatch(key)
    if match is None or not is_id(match[2]):
        return None
    return PendingKey(PRIORITIES[int(match[1])], match[2], match[3])


def leased(job_id: str) -> str:
    """The key of a job's lease."""
    return f"{LEASED}{job_id}.json"


def done(job_id: str) -> str:
    """The key of a job's result."""
    return f"{DONE}{job_id}.json"


def parse_job(key: str, prefix: str) -> str | None:
    """The id in a key under leased/ or done/, or None for a foreign one."""
    job_id = key.removeprefix(prefix).removesuffix(".json")
    return job_id if is_id(job_id) and key == f"{prefix}{job_id}.json" else None


def is_idempotency_key(text: str) -> bool:
    """Whether a user may call a job by this name: not of an id's shape, so that the two are never confused."""
    return _IDEMPOTENCY_KEY.fullmatch(text) is not None and not is_id(text)


def unique(idempotency_key: str) -> str:
    """The key that holds an idempotency key for one id."""
    if not is_idempotency_key(idempotency_key):
        raise UnsafeName(f"{idempotency_key!r} is not an idempotency key: a-z, 0-9, '.', '_' and '-', 64 at most")
    return f"{UNIQUE}{idempotency_key}.json"


def parse_unique(key: str) -> str | None:
    """The idempotency key in a key under unique/, or None for a foreign one."""
    name = key.removeprefix(UNIQUE).removesuffix(".json")
    return name if is_idempotency_key(name) and key == f"{UNIQUE}{name}.json" else None


def attempt_prefix(job_id: str, epoch: int, nonce: str) -> str:
    """The folder of one attempt's files."""
    return f"{ARTIFACTS}{job_id}/{epoch}-{nonce}/"


def job_artifacts(job_id: str) -> str:
    """The folder of all attempts' files of a job."""
    return f"{ARTIFACTS}{job_id}/"


def parse_artifact(key: str) -> ArtifactKey | None:
    """The parts of an artifact's key, or None for a foreign one."""
    match = _ARTIFACT.fullmatch(key)
    if match is None or not is_id(match[1]):
        return None
    return ArtifactKey(match[1], int(match[2]), match[3], match[4])


def log_chunk(prefix: str, number: int) -> str:
    """The key of an attempt's log chunk; numbers sort as text."""
    return f"{prefix}log/{number:08d}.txt"


def input_file(sha256: str) -> str:
    """The key of an input file's content."""
    return f"{INPUTS}{_checked(sha256)}"


def model_file(sha256: str) -> str:
    """The key of a model file's content."""
    return f"{MODELS}{_checked(sha256)}"


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise UnsafeName(f"{sha256!r} is not a sha256 in lower-case hexadecimal")
    return sha256


def cache_entry(digest: str) -> str:
    """The key of a cached step's facts."""
    return f"{CACHE}{digest}.json"


def cache_payload(digest: str, sha256: str) -> str:
    """The key of a cached step's payload, of which the facts name the sha256."""
    return f"{CACHE}{digest}-{sha256}.bin"


def wheel(sha256: str, file_name: str) -> str:
    """The key of a wheel: its content and the name under which pip takes it."""
    if not _WHEEL.fullmatch(file_name):
        raise UnsafeName(f"{file_name!r} is not the file name of a wheel")
    return f"{DIST}{_checked(sha256)}/{file_name}"


def worker(worker_id: str) -> str:
    """The key of a worker's presence record."""
    if not _WORKER.fullmatch(worker_id):
        raise UnsafeName(f"{worker_id!r} is not a worker id: letters, digits, '.', '_' and '-', 127 at most")
    return f"{WORKERS}{worker_id}.json"


def parse_worker(key: str) -> str | None:
    """The worker id in a presence key, or None for a foreign one."""
    name = key.removeprefix(WORKERS).removesuffix(".json")
    return name if _WORKER.fullmatch(name) and key == f"{WORKERS}{name}.json" else None


def artifact_name(name: str) -> str:
    """`name`, if it is a relative POSIX path that stays in its folder; else `UnsafeName`."""
    parts = name.split("/")
    if (
        not name
        or len(name) > 512
        or any(part in ("", ".", "..") or len(part) > 200 for part in parts)
        or "\\" in name
        or not name.isprintable()
        or (len(name) > 1 and name[1] == ":")
    ):
        raise UnsafeName(f"{name!r} is not a file name inside a folder")
    return name
