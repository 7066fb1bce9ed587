"""One table from what can go wrong to an exit code and the next command.

Invariant: every exception ends as one sentence on stderr (an object under --json) and one exit code of the table.
"""

from __future__ import annotations

import json as json_
import sys
import traceback
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any, NamedTuple, TextIO

from gpujob import errors
from gpujob.clock import SYSTEM
from gpujob.redaction import without_passwords
from gpujob.settings import debugging, state_dir
from gpujob_cli.text import clean

BUG = 1
USAGE = 2
CONFIGURATION = 3
UNREACHABLE = 4
CONFLICT = 5
DISK = 6
FAILED = 100
UNFINISHED = 101
NOT_FOUND = 102
CANCELLED = 103
EXPIRED = 104
NO_WORKER = 105
CHECKSUM = 106
TIMED_OUT = 124
INTERRUPTED = 130

SEVERITY = (CHECKSUM, FAILED, CANCELLED, EXPIRED, NO_WORKER, TIMED_OUT)
"""Several jobs with several ends: the first of these."""

END_CODES = {"succeeded": 0, "failed": FAILED, "cancelled": CANCELLED, "expired": EXPIRED}


class NoWorker(errors.GpujobError):
    """No live worker appeared within `--worker-timeout`."""


class Row(NamedTuple):
    """What an exception means to a person: the exit code, and what to do where the exception does not say."""

    error: type[BaseException]
    exit_code: int
    hint: str


TABLE: tuple[Row, ...] = (
    Row(errors.InvalidSpec, USAGE, "`gpujob schema KIND` prints what a spec may hold."),
    Row(errors.UnsafeStore, CONFIGURATION, "`gpujob doctor` says what is wrong with it."),
    Row(errors.NotInitialised, CONFIGURATION, "`gpujob init URL` makes a queue of the bucket."),
    Row(errors.NoSuchBucket, CONFIGURATION, "Check the bucket's name; `gpujob init URL` creates it."),
    Row(errors.Denied, CONFIGURATION, "`gpujob doctor` shows which credentials are used."),
    Row(errors.WrongProtocol, CONFIGURATION, "Upgrade gpujob on this machine."),
    Row(errors.Configuration, CONFIGURATION, "`gpujob doctor` examines the set-up."),
    Row(errors.Unavailable, UNREACHABLE, "Try again; `gpujob doctor` examines the store."),
    Row(errors.Busy, UNREACHABLE, "Try again in a moment; `gpujob doctor` examines the store."),
    Row(errors.Conflict, CONFLICT, ""),
    Row(errors.LocalDisk, DISK, "Make room, or choose another folder with -o."),
    Row(
        errors.UnsafeName, CHECKSUM, "The result was made or altered by something that is not gpujob: do not trust it."
    ),
    Row(errors.Untrusted, CHECKSUM, "docs/signing.md says which keys have to be named where."),
    Row(errors.ChecksumMismatch, CHECKSUM, "Run the same command again; it fetches only what is wrong."),
    Row(errors.NotFound, NOT_FOUND, "`gpujob ls` lists what there is."),
    Row(errors.JobFailed, FAILED, "`gpujob logs ID` prints its log."),
    Row(errors.CorruptRecord, FAILED, "`gpujob fsck` examines the bucket."),
    Row(NoWorker, NO_WORKER, "Start one with `gpujob worker run`."),
    Row(TimeoutError, TIMED_OUT, "The job goes on."),
    Row(KeyboardInterrupt, INTERRUPTED, ""),
    Row(OSError, DISK, "Check the path and its permissions."),
)


@dataclass(frozen=True)
class Report:
    """An error as it is told: its name, exit code, sentence, next step, and the single problems of a spec."""

    type: str
    exit_code: int
    message: str
    hint: str = ""
    label: str = "error: "
    problems: tuple[Any, ...] = ()


def explain(error: BaseException) -> Report:
    """What to tell about an exception. One that is not in the table is a bug."""
    for row in TABLE:
        if isinstance(error, row.error):
            return Report(
                type(error).__name__,
                row.exit_code,
                _sentence(error),
                hint_of(error),
                problems=getattr(error, "problems", ()),
            )
    if isinstance(error, errors.GpujobError):
        return Report(type(error).__name__, BUG, error.message, error.hint or "")
    where = save_traceback(error)
    said = f"gpujob failed: {type(error).__name__}: {without_passwords(str(error))}"
    return Report("Bug", BUG, said, f"This is a bug. The traceback is in {where}.")


def hint_of(error: BaseException) -> str:
    """What to do next: what the error itself says, else what the table does."""
    own: str | None = getattr(error, "hint", None)
    return own or next((row.hint for row in TABLE if isinstance(error, row.error)), "")


def worst(codes: list[int]) -> int:
    """The exit code of several jobs with several ends."""
    return next((code for code in SEVERITY if code in codes), max(codes, default=0))


def report(error: BaseException, *, json: bool = False) -> int:
    """Tells a person (or under --json a program) about an exception; returns the exit code."""
    if debugging():
        sys.stderr.write(_traceback(error))
    told = explain(error)
    print_report(told, json=json)
    return told.exit_code


def print_report(told: Report, *, json: bool = False, stream: TextIO | None = None) -> None:
    """Writes an error to stderr."""
    stream = stream or sys.stderr
    if json:
        stream.write(json_.dumps({"error": as_json(told)}) + "\n")
        return
    stream.write(f"{told.label}{clean(told.message, lines=True)}\n")
    if told.hint:
        stream.write(f"  {clean(told.hint, lines=True)}\n")


def as_json(told: Report) -> dict[str, Any]:
    """The error object of --json."""
    body: dict[str, Any] = {"type": told.type, "exit_code": told.exit_code, "message": told.message, "hint": told.hint}
    if told.problems:
        body["problems"] = [
            asdict(one) if is_dataclass(one) and not isinstance(one, type) else str(one) for one in told.problems
        ]
    return body


def save_traceback(error: BaseException) -> str:
    """Keeps a bug's traceback for a report; returns where, or how to see it where the disk refuses."""
    path = state_dir() / f"bug-{int(SYSTEM.now())}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_traceback(error), encoding="utf-8")
    except OSError:
        return "nowhere (the disk refused it); GPUJOB_DEBUG=1 prints it"
    return str(path)


def _traceback(error: BaseException) -> str:
    """The traceback, in which no address holds a password."""
    return without_passwords("".join(traceback.format_exception(error)))


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return without_passwords(getattr(error, "message", "") or str(error) or type(error).__name__)
