"""What a failed system call means for the caller of a verb.

Invariant: `LocalDisk` is raised only for errors that the kernel reports before it changes anything; every other
failure is `Unavailable`, because a write whose call failed may have landed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from gpujob.buckets.folder.object_file import Stranger
from gpujob.errors import (
    Configuration,
    CorruptRecord,
    GpujobError,
    LocalDisk,
    PreconditionFailed,
    Unavailable,
    UnsafeName,
)

_REFUSALS = {
    errno.ENOSPC: ("the disk is full", "free some space, then try again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then try again"),
    errno.EROFS: ("the file system is read-only", "put the store's folder on a writable disk"),
    errno.EACCES: ("permission is denied", "check who owns the store's folder and its mode"),
    errno.EPERM: ("the operation is not permitted", "check who owns the store's folder and its mode"),
}


@contextmanager
def reported(action: str, key: str) -> Iterator[None]:
    """Turns an `OSError` of the block into the error that a bucket's verbs raise."""
    try:
        yield
    except Stranger as error:
        if action == "read":
            raise CorruptRecord(f"{key}: what stands there is no plain file, and is not read") from error
        raise PreconditionFailed(f"{key} is there already, and no plain file") from error
    except OSError as error:
        raise _meaning(error, f"cannot {action} {key} in the folder store") from error


def _meaning(error: OSError, what: str) -> GpujobError:
    if error.errno in _REFUSALS:
        why, hint = _REFUSALS[error.errno]
        return LocalDisk(f"{what}: {why} ({error.filename or 'no path given'})", hint=hint)
    if error.errno == errno.ENAMETOOLONG:
        return UnsafeName(f"{what}: the key is too long for a file name of this file system")
    if isinstance(error, NotADirectoryError | FileExistsError):
        return Configuration(f"{what}: a file stands where a folder belongs", hint="give the store a folder of its own")
    return Unavailable(f"{what}: {error.strerror or error}")
