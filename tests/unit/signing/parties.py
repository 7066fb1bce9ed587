"""A submitter, a worker and strangers with key pairs of their own, and what changes every single value of a record."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from gpujob import JobStore, keys, manifests
from gpujob.buckets.base import Bucket
from gpujob.records import (
    Artifact,
    InputFile,
    JobError,
    Manifest,
    PastAttempt,
    QueueConfig,
    Record,
    Result,
    Signature,
    Timings,
)
from gpujob.signing.identity import Identity
from gpujob.signing.private import PrivateKey, new_key
from gpujob.specs import parse_object
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.trusting import Doorkeeper
from gpujob_worker.worker import Limits, Worker

NOW = 1_800_000_000.0
JOB = "01k8xq3v00000000000000000a"
OTHER = "01k8xq3v00000000000000000b"
SHA = "ab" * 32
ECHO = {"kind": "echo", "input": {"message": "hello"}}
SPEC = {"kind": "echo", "input": {"message": {"grüße": [1, 2.5, True, None, "x"]}}, "idempotency_key": "tour-1"}


@dataclass(frozen=True)
class Parties:
    """Who signs in a test, and what each of them knows of the others."""

    alice: PrivateKey = field(default_factory=new_key)  # submits
    gpu1: PrivateKey = field(default_factory=new_key)  # works
    mallory: PrivateKey = field(default_factory=new_key)  # has the bucket, and a key that nobody knows

    @property
    def submitter(self) -> Identity:
        """Submits, and waits for results of the worker."""
        return Identity(self.alice, workers=(self.gpu1.public,))

    @property
    def worker(self) -> Identity:
        """Runs jobs of the submitter."""
        return Identity(self.gpu1, submitters=(self.alice.public,), workers=(self.gpu1.public,))


def manifest(**changes: Any) -> Manifest:
    """A job with something in every field, unsigned."""
    files = (InputFile(name="a.txt", sha256=SHA, size_bytes=3), InputFile(name="b.txt", sha256=SHA, size_bytes=4))
    made = manifests.make(
        parse_object(SPEC), job_id=JOB, nonce="n1", now=NOW, config=QueueConfig(), files=files, submitted_by="alice@pc"
    )
    full = {"labels": {"a": "b"}, "title": "Tour", "requires": {"gpu_memory": "8GB"}, "warnings": ("w",)}
    return made.model_copy(update=full | {"retry_of": OTHER} | changes)


def result(of: Manifest, **changes: Any) -> Result:
    """How that job ended, with something in every field, unsigned."""
    past = PastAttempt(attempt=1, epoch=1, worker="gpu1", ended="failed", at=NOW, message="m")
    given: dict[str, Any] = {
        "id": of.id,
        "kind": of.kind,
        "name": "tour-1",
        "state": "succeeded",
        "nonce": "n2",
        "epoch": 2,
        "attempt": 2,
        "spec_sha256": of.spec_sha256,
        "created_at": NOW,
        "started_at": NOW + 1,
        "finished_at": NOW + 2,
        "timings": Timings(queue=1, load=0.5, run=0.25, upload=0.125),
        "worker": {"id": "gpu1", "gpu_memory": 8},
        "engine": {"name": "echo"},
        "output": {"message": "hello", "steps": [{"n": 1.5}]},
        "warnings": ("w",),
        "artifacts": (Artifact(name="a", key="artifacts/a", media_type="text/plain", size_bytes=1, sha256=SHA),),
        "log_chunks": 1,
        "error": JobError(type="engine", message="m", hint="h", attempt=1, traceback="t"),
        "history": (past,),
        "manifest": of,
    }
    return Result(**(given | changes))


def queue(bucket: Bucket, identity: Identity, **more: Any) -> JobStore:
    """The queue in a bucket as one party sees it."""
    return JobStore(bucket, identity=identity, patience_s=5.0, **more)


def work(store: JobStore, **more: Any) -> Worker:
    """Runs a worker until nothing is left to do; returns it."""
    worker = Worker(
        store, [EchoExecutor()], worker_id="w", limits=Limits(idle_exit_s=0.0), presence_every_s=None, **more
    )
    worker.run()
    return worker


def write(bucket: Bucket, key: str, body: bytes) -> None:
    """As a neighbour writes: whatever stands there."""
    found = bucket.head(key)
    if found is None:
        bucket.create(key, body)
    else:
        bucket.replace(key, body, found.version)


def pending(of: Manifest) -> str:
    """The key under which the job waits."""
    return keys.pending(of.priority, of.id, of.kind)


def altered(of: Manifest) -> Manifest:
    """The job with another message."""
    return of.model_copy(update={"spec": {**of.spec, "input": {"message": "evil"}}})


def any_kind(kind: str) -> bool:
    """Serves every kind."""
    return True


def doorkeeper(store: JobStore) -> Callable[[Manifest], bool]:
    """What a worker asks before it claims."""
    return Doorkeeper(store.identity, store.runtime.now).admits


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a worker's log says of the jobs that it refused."""
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused ")]


def each_alteration(record: Record) -> Iterator[tuple[str, Record]]:
    """The record with each of its values changed, removed or added to in turn, as far as that can still be read."""
    whole = json.loads(record.body())
    for path in _paths(whole):
        changed = [one for one in _variants(record, whole, path) if one != record]
        yield from ((".".join(map(str, path)), one) for one in changed)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from _paths(one, (*path, name))


def _variants(record: Record, whole: Any, path: tuple[str | int, ...]) -> Iterator[Record]:
    for change in _changes(_at(whole, path)):
        body = copy.deepcopy(whole)
        parent = _at(body, path[:-1])
        if change is _GONE:
            del parent[path[-1]]
        else:
            parent[path[-1]] = change
        try:
            yield type(record).model_validate_json(json.dumps(body))
        except ValidationError:
            continue


_GONE = object()


def _changes(value: Any) -> list[Any]:
    """Other values in its place; at least one of them fits whatever field of a record it stands in."""
    if isinstance(value, bool):
        return [not value, _GONE]
    if isinstance(value, int | float):
        return [value + 1, value / 2, _GONE]
    if isinstance(value, str):
        others = ["low", "failed", "lost", "timeout", OTHER, "cd" * 32, "tour-2", value + "x", value[:-1]]
        return [*others, _GONE]
    if isinstance(value, list):
        return [[*value, *value], [*value, "x"], value[:-1], []]
    if isinstance(value, dict):
        return [{**value, "more": 1}, {**value, "more": "x"}, {}, _GONE]
    return ["x", _GONE]


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


def stripped(record: Record) -> set[str]:
    """The names of a record's fields without the signature."""
    return set(type(record).model_fields) - {"signature"}


def broken(signature: Signature) -> list[Signature]:
    """The signature with other values: cut, of another text, no base64, empty."""
    value = signature.value
    others = [value[:-4], "A" * 86 + "==", "*" * 88, "", value[:10] + ("A" if value[10] != "A" else "B") + value[11:]]
    return [Signature(key=signature.key, value=one) for one in others]
