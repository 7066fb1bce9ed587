"""Every error gpujob raises, named by what the caller should do next.

GpujobError
├── InvalidSpec        fix the input
├── NotFound           no such job: check the id
├── Conflict           the idempotency key already stands for another spec
├── LeaseLost          somebody else owns the job: drop the work, write nothing more
├── JobStopped         the job was told to stop while it ran
│   ├── JobCancelled   it ended elsewhere, or its lease was lost: drop the work
│   ├── JobReleased    this worker is leaving: the job goes back into the queue
│   ├── JobTimedOut    its run took longer than its `timeout`
│   └── JobExpired     its `ttl` has passed
├── JobFailed          the attempt failed; `error` says how
├── CorruptRecord      an object in the bucket is not what its key says: skip it
├── ChecksumMismatch   an artifact is truncated or altered: fetch it again
├── Untrusted          a record is unsigned, altered or signed by a stranger: do not use it
├── UnsafeName         a name that would leave its folder: refuse it
├── LocalDisk          this machine's disk is full or not writable
├── Configuration      credentials, settings or an extra that is not installed: fix the set-up
│   ├── Denied         the store refuses these credentials
│   ├── NoSuchBucket   the bucket does not exist
│   ├── UnsafeStore    the store would lose data: use another
│   ├── NotInitialised the queue has no queue.json: run `gpujob init`
│   └── WrongProtocol  the queue speaks another major version
└── BucketError        what a bucket's verbs raise
    ├── PreconditionFailed   the condition did not hold; nothing was written
    ├── Busy                 nothing was decided: the same request may be sent again
    └── Unavailable          nobody knows: a write may or may not have landed, now or later
"""

from __future__ import annotations

from typing import Any


class GpujobError(Exception):
    """Base of all errors; `hint` is the next command or action for the person reading it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidSpec(GpujobError):
    """The spec cannot be accepted; `problems` lists everything wrong with it at once."""

    def __init__(self, message: str, *, problems: tuple[Any, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class NotFound(GpujobError):
    """No job of that id, prefix or idempotency key is in the bucket."""


class Conflict(GpujobError):
    """The idempotency key already stands for a job with another spec."""


class LeaseLost(GpujobError):
    """This worker no longer owns the job. Drop the work and write nothing more."""


class JobStopped(GpujobError):
    """The job was told to stop while it ran."""


class JobCancelled(JobStopped):
    """The job ended elsewhere (cancelled, finished by another worker), or its lease was lost."""


class JobReleased(JobStopped):
    """The worker is leaving and gives the job back."""


class JobExpired(JobStopped):
    """The job's `ttl`, waiting and running together, has passed."""


class JobTimedOut(JobStopped):
    """The run took longer than the job's `timeout`."""


class JobFailed(GpujobError):
    """An attempt failed.

    `type` is one of out_of_memory, timeout, worker_lost, invalid_input, model_not_found, engine, storage.
    A retryable failure is tried again until `retry.max_attempts` is reached. `traceback` is that of another process.
    """

    def __init__(
        self,
        message: str,
        *,
        type: str = "engine",
        retryable: bool = True,
        hint: str | None = None,
        traceback: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.type = type
        self.retryable = retryable
        self.traceback = traceback


class CorruptRecord(GpujobError):
    """An object in the bucket is not what its key says. Skip it; never move or delete it."""


class ChecksumMismatch(GpujobError):
    """An artifact's bytes are not those its result names."""


class Untrusted(GpujobError):
    """A record is not signed by a key that is trusted here, or was altered since. Do not use it."""


class UnsafeName(GpujobError):
    """A name from a manifest or result that would leave its folder."""


class LocalDisk(GpujobError):
    """This machine's disk is full or not writable."""


class Configuration(GpujobError):
    """Settings, credentials or installed extras do not allow this."""


class Denied(Configuration):
    """The store refuses these credentials (401, 403)."""


class NoSuchBucket(Configuration):
    """The bucket does not exist."""


class UnsafeStore(Configuration):
    """The store failed the probe: conditional writes on it would lose data."""


class NotInitialised(Configuration):
    """The queue has no queue.json."""


class WrongProtocol(Configuration):
    """The queue or a record speaks a major protocol version this gpujob does not."""


class BucketError(GpujobError):
    """Base of what a bucket's verbs raise beside Configuration errors."""


class PreconditionFailed(BucketError):
    """The condition of this very send did not hold (412; 404 for a replace). Nothing was written."""


class Busy(BucketError):
    """Nothing was decided (409, 429, 503): the same request may be sent again."""


class Unavailable(BucketError):
    """The request failed and its effect is unknown: a write may have landed, or may land later."""
