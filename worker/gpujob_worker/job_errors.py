"""What ended a run, as the record that goes into the lease or the result.

Invariant: whatever an executor raises becomes a record. A type that is none, a hint that is no text, an error that fails
at being looked at: none of them ends the worker, for the next one would take the same job and end in the same way.
"""

from __future__ import annotations

import errno
import traceback
from typing import get_args

from gpujob.errors import (
    BucketError,
    ChecksumMismatch,
    Denied,
    GpujobError,
    JobFailed,
    JobTimedOut,
    LocalDisk,
    UnsafeName,
)
from gpujob.records import ErrorType, JobError
from gpujob.redaction import Redactor

TYPES: tuple[ErrorType, ...] = get_args(ErrorType)
MOST_CHARS = 4000
TRACE_CHARS = 8000


def job_error(error: Exception, attempt: int, redact: Redactor) -> JobError:
    """The record of what ended a run, without the secrets that the run was handed, whatever an executor raised."""
    try:
        return _told(error, attempt, redact)
    except Exception:  # noqa: BLE001 - an error of a plug-in may fail at being looked at, and ends no worker
        message = f"{type(error).__name__}, an error that cannot be written down"
        return JobError(type="engine", message=message, attempt=attempt)


def _told(error: Exception, attempt: int, redact: Redactor) -> JobError:
    if isinstance(error, UnsafeName):
        return JobError(type="invalid_input", message=_text(error.message, redact), retryable=False, attempt=attempt)
    if isinstance(error, JobTimedOut):
        message = _text(error.message, redact)
        return JobError(type="timeout", message=message, hint="Give it more `timeout`.", attempt=attempt)
    if isinstance(error, JobFailed):
        return JobError(
            type=error.type if isinstance(error.type, str) and error.type in TYPES else "engine",
            message=_text(error.message, redact),
            hint=_hint(error, redact),
            retryable=bool(error.retryable),
            traceback=_text(error.traceback, redact, slice(-TRACE_CHARS, None)),
            attempt=attempt,
        )
    if isinstance(error, (BucketError, ChecksumMismatch, LocalDisk, Denied)):
        message, hint = _text(error.message, redact), _hint(error, redact)
        return JobError(type="storage", message=message, hint=hint, attempt=attempt)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = _text(f"the worker's disk is full: {error}", redact)
        return JobError(type="storage", message=message, hint="Make room on the worker.", attempt=attempt)
    if isinstance(error, MemoryError):
        return JobError(type="out_of_memory", message="the worker ran out of memory", attempt=attempt)
    text = _text(f"{type(error).__name__}: {error}", redact)
    trace = _text("".join(traceback.format_exception(error)), redact, slice(-TRACE_CHARS, None))
    return JobError(type="engine", message=text, traceback=trace, attempt=attempt)


def _hint(error: GpujobError, redact: Redactor) -> str | None:
    return None if error.hint is None else _text(error.hint, redact)


def _text(said: object, redact: Redactor, kept: slice = slice(MOST_CHARS)) -> str:
    """What an executor said as a record takes it: a text without secrets and half characters, and not without end."""
    return _whole(redact.text(str(said)))[kept]


def _whole(text: str) -> str:
    """A text whose half characters, which no record takes, have become a `?`."""
    return text.encode(errors="replace").decode()
