"""Puts files into a person's folder: whole and verified, or not at all.

Invariant: nothing appears under a file's name before all its bytes are on the disk, nothing is replaced without
`force`, and nothing is read or written outside the folder: each step down is taken from an open folder and refuses
symbolic links. Bytes on their way live in a hidden folder inside (`PARTS`), where the next try goes on.
"""

from __future__ import annotations

import errno
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
from gpujob.part_files import Part, local_disk, lstat_at, open_part

TRIES = 100  # of a part file: others may finish, and tidy up, in the same moment

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}

Standing = Literal["absent", "same", "different"]


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
            found = lstat_at(*place)
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
        part = None
        for _ in range(TRIES):
            part = self._opened(f"{label}.part") or self._opened(f"{label}-{token()}.part")
            if part is not None:
                break
        if part is None:
            raise LocalDisk(f"cannot lock a file in {self.path / PARTS}", hint="Choose a folder on a local disk.")
        try:
            yield part
        finally:
            os.close(part.fd)

    def _opened(self, name: str) -> Part | None:
        """The part file, locked; None where another process has it, or has just removed the folder that it was in."""
        with local_disk(self.path / PARTS), self._parent(f"{PARTS}/x", make=True) as place:
            try:
                return None if place is None else open_part(place[0], name, self.path)
            except FileNotFoundError:
                return None

    def place(self, part: Part, name: str, *, sha256: str, force: bool) -> None:
        """Gives the part its name. Conflict where a different file stands there, unless `force`."""
        with (
            local_disk(self.path / name),
            self._parent(name, make=True) as place,
            self._parent(f"{PARTS}/x", make=True) as parts,
        ):
            assert place is not None and parts is not None
            os.fsync(part.fd)
            found = lstat_at(*place)
            in_the_way = found is not None and (stat.S_ISDIR(found.st_mode) or not force)
            if in_the_way or not _named(parts[0], part.name, *place, force=force):
                self._accept_only_same(part, name, sha256)
            os.fsync(place[0])

    def discard(self, part: Part) -> None:
        """Removes the part file, if it still has its name."""
        with self._parent(f"{PARTS}/x", make=False) as parts, suppress(OSError):
            if parts is not None:
                os.unlink(part.name, dir_fd=parts[0])

    def _accept_only_same(self, part: Part, name: str, sha256: str) -> None:
        if self.standing(name, sha256, part.size_bytes) != "same":
            raise different(self.path / name)
        self.discard(part)

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
        found = lstat_at(fd, folder)
        if found is not None and stat.S_ISLNK(found.st_mode):
            raise UnsafeName(
                f"{path} is a symbolic link, which is not followed", hint="Remove it, or choose another folder with -o."
            ) from error
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise Conflict(
                f"{path} is a file where a folder is needed", hint="Choose another folder with -o."
            ) from error
        raise


def _named(parts: int, part: str, folder: int, name: str, *, force: bool) -> bool:
    """Gives the part its name; False where somebody else has taken it meanwhile.

    A link never replaces anything. Where the file system has none, a file that appears in this very moment is lost.
    """
    try:
        if not force:
            os.link(part, name, src_dir_fd=parts, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(part, dir_fd=parts)
            return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    os.rename(part, name, src_dir_fd=parts, dst_dir_fd=folder)
    return True
