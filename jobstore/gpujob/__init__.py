"""gpujob: a GPU job queue whose only server is a bucket.

    from gpujob import open_store

    store = open_store("file:///tmp/queue")
    job = store.submit({"kind": "echo", "input": {"message": "hello"}})
    result = store.wait(job.id)

The names below are the public interface; everything is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gpujob.buckets.base import Bucket
    from gpujob.buckets.folder import FolderBucket
    from gpujob.buckets.memory import MemoryBucket
    from gpujob.errors import Conflict, GpujobError, InvalidSpec, JobFailed, NotFound, Unavailable, UnsafeStore
    from gpujob.protocol.status import Status
    from gpujob.protocol.submit import Submitted
    from gpujob.records import Artifact, Manifest, Progress, QueueConfig, Result
    from gpujob.specs import Spec, parse_specs
    from gpujob.store import JobStore, open_store

_WHERE = {
    "Artifact": "gpujob.records",
    "Bucket": "gpujob.buckets.base",
    "Conflict": "gpujob.errors",
    "FolderBucket": "gpujob.buckets.folder",
    "GpujobError": "gpujob.errors",
    "InvalidSpec": "gpujob.errors",
    "JobFailed": "gpujob.errors",
    "JobStore": "gpujob.store",
    "Manifest": "gpujob.records",
    "MemoryBucket": "gpujob.buckets.memory",
    "NotFound": "gpujob.errors",
    "Progress": "gpujob.records",
    "QueueConfig": "gpujob.records",
    "Result": "gpujob.records",
    "Spec": "gpujob.specs",
    "Status": "gpujob.protocol.status",
    "Submitted": "gpujob.protocol.submit",
    "Unavailable": "gpujob.errors",
    "UnsafeStore": "gpujob.errors",
    "open_store": "gpujob.store",
    "parse_specs": "gpujob.specs",
}

__all__ = [
    "Artifact",
    "Bucket",
    "Conflict",
    "FolderBucket",
    "GpujobError",
    "InvalidSpec",
    "JobFailed",
    "JobStore",
    "Manifest",
    "MemoryBucket",
    "NotFound",
    "Progress",
    "QueueConfig",
    "Result",
    "Spec",
    "Status",
    "Submitted",
    "Unavailable",
    "UnsafeStore",
    "open_store",
    "parse_specs",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gpujob' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
