"""Puts files into a person's folder: whole and verified, or not at all.

Invariant: nothing appears under a file's name before all its bytes are on the disk, nothing is replaced without
`force`, and nothing is read or written outside the folder: each step down is taken from an open folder and refuses
symbolic links. Bytes on their way live in a hidden folder inside (`PARTS`), where the next try goes on.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, Self

from gpujob.chance import token
from gpujob.errors import Conflict, LocalDisk, UnsafeName
from gpujob.names import PARTS

BLOCK_BYTES = 1 << 20

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

Standing = Literal["absent", "same", "different"]


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


class OutFolder:
    """An open folder to place files in, made where it is missing. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with local_disk(path):
            path.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, _FOLDER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        with suppress(OSError):
            os.rmdir(PARTS, dir_fd=self._fd)
        os.close(self._fd)

    def standing(self, name: str, sha256: str, size_bytes: int) -> Standing:
        """Whether a file of that name is here, and whether it is the one of that content."""
        with local_disk(self.path / name), self._parent(name, make=False) as place:
            if place is None:
                return "absent"
            found = _lstat(*place)
            if found is None:
                return "absent"
            if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
                return "different"
            fd = os.open(place[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place[0])
            with open(fd, "rb") as stream:
                return "same" if sha256_of(stream) == sha256 else "different"

    @contextmanager
    def part(self, label: str) -> Iterator[Part]:
        """The part file of that label with what an earlier try left in it; a fresh one if another process has it."""
        with local_disk(self.path / PARTS), self._parent(f"{PARTS}/x", make=True) as place:
            assert place is not None
            names = (f"{label}.part", f"{label}-{token()}.part")
            part = _locked(place[0], names[0], self.path) or _locked(place[0], names[1], self.path)
        if part is None:
            raise LocalDisk(f"cannot lock a file in {self.path / PARTS}", hint="Choose a folder on a local disk.")
        try:
            yield part
        finally:
            os.close(part.fd)

    def place(self, part: Part, name: str, *, sha256: str, force: bool) -> None:
        """Gives the part its name. Conflict where a different file stands there, unless `force`."""
        with (
            local_disk(self.path / name),
            self._parent(name, make=True) as place,
            self._parent(f"{PARTS}/x", make=True) as parts,
        ):
            assert place is not None and parts is not None
            os.fsync(part.fd)
            found = _lstat(*place)
            if found is not None and (stat.S_ISDIR(found.st_mode) or not force):
                self._accept_only_same(part, name, sha256)
            elif force or not _linked(parts[0], part.name, *place):
                os.rename(part.name, place[1], src_dir_fd=parts[0], dst_dir_fd=place[0])
            os.fsync(place[0])
        self.discard(part)

    def discard(self, part: Part) -> None:
        """Removes the part file, if it still has its name."""
        with self._parent(f"{PARTS}/x", make=False) as parts, suppress(OSError):
            if parts is not None:
                os.unlink(part.name, dir_fd=parts[0])

    def _accept_only_same(self, part: Part, name: str, sha256: str) -> None:
        if self.standing(name, sha256, part.size_bytes) != "same":
            raise different(self.path / name)

    @contextmanager
    def _parent(self, name: str, *, make: bool) -> Iterator[tuple[int, str] | None]:
        """The open folder that `name` is in, and its last part; None where that folder is missing."""
        *folders, leaf = name.split("/")
        fd: int | None = os.dup(self._fd)
        try:
            for depth, folder in enumerate(folders):
                assert fd is not None
                below = _step(fd, folder, self.path.joinpath(*folders[: depth + 1]), make)
                os.close(fd)
                fd = below
                if fd is None:
                    break
            yield None if fd is None else (fd, leaf)
        finally:
            if fd is not None:
                os.close(fd)


def different(path: Path) -> Conflict:
    """The error for a file that is in the way."""
    return Conflict(
        f"{path} is here already and is a different file", hint="--force replaces it; or choose another folder with -o."
    )


def sha256_of(stream: IO[bytes]) -> str:
    """The sha256 of an open file, in hexadecimal."""
    return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]


def _step(fd: int, folder: str, path: Path, make: bool) -> int | None:
    """Opens the folder below `fd`; never through a symbolic link."""
    if make:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=fd)
    try:
        return os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        found = _lstat(fd, folder)
        if found is not None and stat.S_ISLNK(found.st_mode):
            raise UnsafeName(
                f"{path} is a symbolic link, which is not followed", hint="Remove it, or choose another folder with -o."
            ) from error
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise Conflict(
                f"{path} is a file where a folder is needed", hint="Choose another folder with -o."
            ) from error
        raise


def _lstat(fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _locked(folder: int, name: str, where: Path) -> Part | None:
    """The part file, locked; None where another process has it, or it is a finished file already."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        here = _lstat(folder, name)
        if here is not None and here.st_ino == os.fstat(fd).st_ino:
            if here.st_nlink == 1:
                return Part(fd, name, where)
            os.unlink(name, dir_fd=folder)  # whoever placed it died before removing its other name
    except BlockingIOError:
        pass
    os.close(fd)
    return None


def _linked(parts: int, part: str, folder: int, name: str) -> bool:
    """Links the part under its name, so that nothing is ever replaced; False where the file system has no links."""
    try:
        os.link(part, name, src_dir_fd=parts, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        raise Conflict(f"{name} appeared meanwhile", hint="Run the same command again.") from None
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True
