"""The system calls of the folder bucket, one method each and nothing more.

Invariant: the folder bucket touches its folder through this class alone, so that a test can put a failure or a sudden
death before and after every single call.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence


class Disk:
    """The machine's file system. Every method is one call (`first_link` one a path) and raises `OSError` as it comes."""

    def make(self, path: str) -> int:
        """Makes a new file, open for writing; it must not exist."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def open(self, path: str) -> int:
        """Opens what is there for reading. A link is not followed (ELOOP), and a pipe waits for nobody."""
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)

    def close(self, fd: int) -> None:
        os.close(fd)

    def read(self, fd: int, size_bytes: int, at: int) -> bytes:
        return os.pread(fd, size_bytes, at)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        os.fsync(fd)

    def facts(self, fd: int) -> os.stat_result:
        return os.fstat(fd)

    def facts_at(self, path: str) -> os.stat_result:
        """Of a link its own."""
        return os.stat(path, follow_symlinks=False)

    def first_link(self, paths: Sequence[str]) -> str:
        """The first of these that is a link, empty where none is: a look at each, and nothing more."""
        return next((path for path in paths if os.path.islink(path)), "")

    def link(self, source: str, target: str) -> None:
        os.link(source, target)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        os.mkdir(path)

    def rmdir(self, path: str) -> None:
        os.rmdir(path)

    def names(self, path: str) -> list[str]:
        return os.listdir(path)

    def lock(self, fd: int) -> None:
        """Takes the file's lock, or raises BlockingIOError where somebody else holds it. It dies with the process."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(self, fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)
