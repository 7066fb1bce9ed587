"""One object as one file: a first line with its version and time, then its body.

Invariant: a file is written whole before it has its name, and never changed afterwards. So whoever has it open reads
one version's line and that version's body, whatever happens to the name meanwhile.

The first line is `gpujob1 <32 hexadecimal digits> <seconds since 1970>`; version and time travel with the file, so
neither a copy of the folder nor a file system with coarse times disturbs them. A file without such a line was put there
by somebody else: it is shown whole, with a version made of its inode and its times. What is no plain file, such as a
link, a pipe or a folder under an object's name, is never read: `Stranger`.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpujob.buckets.folder.disk import Disk

CHUNK_BYTES = 1 << 20

_LINE = re.compile(rb"gpujob1 ([0-9a-f]{32}) (\d{10}\.\d{6})\n")
LINE_BYTES = len("gpujob1 ") + 32 + 1 + 17 + 1


class Stranger(Exception):
    """What stands under an object's name is no plain file: somebody else put it there."""


@dataclass(frozen=True, slots=True)
class OpenObject:
    """An object's file, open for reading; `start` is where its body begins."""

    fd: int
    version: str
    last_modified: float
    start: int
    size_bytes: int


def first_line(version: str, last_modified: float) -> bytes:
    """The line that a new object begins with."""
    return f"gpujob1 {version} {last_modified:017.6f}\n".encode()


def understood(disk: Disk, fd: int) -> OpenObject:
    """Reads the first line of an open file. Raises Stranger for what is none, before it is read."""
    facts = disk.facts(fd)
    if not stat.S_ISREG(facts.st_mode):
        raise Stranger
    line = _LINE.fullmatch(disk.read(fd, LINE_BYTES, 0))
    if line is None:
        version = f"foreign-{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_size}"
        return OpenObject(fd, version, facts.st_mtime, 0, facts.st_size)
    return OpenObject(fd, line[1].decode(), float(line[2]), LINE_BYTES, facts.st_size - LINE_BYTES)


def chunks(disk: Disk, found: OpenObject, offset: int, end: int | None = None) -> Iterator[bytes]:
    """The body from `offset` on, up to `end`, in pieces."""
    stop = found.size_bytes if end is None else min(end, found.size_bytes)
    while offset < stop:
        piece = disk.read(found.fd, min(CHUNK_BYTES, stop - offset), found.start + offset)
        if not piece:
            raise OSError(f"the file ends {stop - offset} bytes early")
        offset += len(piece)
        yield piece


def write_all(disk: Disk, fd: int, pieces: Iterable[bytes]) -> None:
    """Writes the pieces; a call that writes only a part is continued."""
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            rest = rest[disk.write(fd, rest) :]
