"""Files on their way in: a part file collects bytes until it is whole, and belongs to one process at a time.

Invariant: whoever has a `Part` has it alone, as far as the file system has locks, and nothing else has that name.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpujob.errors import LocalDisk

BLOCK_BYTES = 1 << 20

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class Part:
    """The bytes of one file on their way in, held by this process alone."""

    def __init__(self, fd: int, name: str, where: Path) -> None:
        self.fd = fd
        self.name = name
        self.where = where
        self.size_bytes = os.fstat(fd).st_size

    def digest(self) -> hashlib._Hash:
        """The sha256 so far, to be updated with what `append` adds."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        digest = hashlib.sha256()
        while block := os.read(self.fd, BLOCK_BYTES):
            digest.update(block)
        return digest

    def append(self, data: bytes) -> None:
        """Writes `data` at the end; LocalDisk where the disk does not take it."""
        with local_disk(self.where):
            write_at(self.fd, data, self.size_bytes)
        self.size_bytes += len(data)

    def restart(self) -> None:
        """Throws away what is here."""
        os.ftruncate(self.fd, 0)
        self.size_bytes = 0


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Writes all of `data`."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def open_part(folder: int, name: str, where: Path) -> Part | None:
    """The part file, locked; None where another process has it, or it is a finished file already."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        if _lock(fd) and _still_named(fd, folder, name):
            taken, fd = fd, -1
            return Part(taken, name, where)
    finally:
        if fd >= 0:
            os.close(fd)
    return None


def _lock(fd: int) -> bool:
    """Whether the file is ours now. A file system without locks (a mounted drive) has only one of us on it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _still_named(fd: int, folder: int, name: str) -> bool:
    """Whether the locked file is still the part of that name, and not a finished file that has just got its own."""
    here = lstat_at(folder, name)
    if here is None or here.st_ino != os.fstat(fd).st_ino:
        return False
    if here.st_nlink > 1:
        os.unlink(name, dir_fd=folder)  # whoever placed it died before removing its other name
        return False
    return True


def lstat_at(fd: int, name: str) -> os.stat_result | None:
    """What stands under `name` in an open folder, links not followed; None where nothing does."""
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextmanager
def local_disk(where: Path | str) -> Iterator[None]:
    """Turns an OSError of a local file into LocalDisk with a sentence."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise LocalDisk(
            f"cannot write {where}: {error.strerror or error}",
            hint="Free some space and run the same command again: it goes on where it stopped."
            if full
            else "Choose a folder that you can write to.",
        ) from error
