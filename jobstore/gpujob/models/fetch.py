"""Downloads one file over HTTP, resuming what an earlier try left in its `.part` file.

Invariant: the target's name appears only once its size and sha256 are right (`place`); until then the bytes live in
`<name>.part`, where the next try, or the next source, goes on.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gpujob.errors import LocalDisk

from .catalogue import ModelFile

CONNECT_TIMEOUT_S = 6.0
_BLOCK_BYTES = 1 << 18
_RESUMES = 5

Report = Callable[[int], None]  # bytes of this file that are here by now


class SourceFailed(Exception):
    """One source did not deliver; the next one is tried."""


def part_of(target: Path) -> Path:
    """Where the bytes of `target` collect until they are verified."""
    return target.with_name(target.name + ".part")


def download(url: str, target: Path, file: ModelFile, report: Report, *, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Brings all of `file` into `target`'s `.part`. A broken transfer is resumed as long as it makes headway."""
    part = part_of(target)
    problem = "the transfer broke off"
    for _ in range(_RESUMES):
        before = _usable_bytes(part, file)
        if before == file.size_bytes:
            return
        try:
            _receive(url, part, before, file, report, timeout_s)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # what is here is longer than what the server has: it is not this file
                part.unlink(missing_ok=True)
            raise SourceFailed(f"it answered {error.code} {error.reason}") from error
        except (http.client.HTTPException, OSError) as error:
            problem = f"the transfer broke off ({_reason(error)})"
        after = _usable_bytes(part, file)
        if after == file.size_bytes:
            return
        if after <= before:
            break
    raise SourceFailed(f"{problem} after {_usable_bytes(part, file):,} of {file.size_bytes:,} bytes")


def place(target: Path, file: ModelFile) -> None:
    """Verifies the `.part` file and gives it its name. A wrong one is deleted, and SourceFailed says so."""
    part = part_of(target)
    found_bytes = part.stat().st_size
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if (found_bytes, found) != (file.size_bytes, file.sha256):
        part.unlink()
        raise SourceFailed(
            f"it delivered {found_bytes:,} bytes with sha256 {found[:16]}..., "
            f"expected {file.size_bytes:,} with {file.sha256[:16]}...; thrown away"
        )
    with disk_errors(target), part.open("rb+") as stream:
        os.fsync(stream.fileno())
        part.replace(target)


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turns a full or read-only disk into LocalDisk; other OSErrors pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        raise LocalDisk(
            f"cannot write {where}: {error.strerror}",
            hint="free some space or choose another model folder, then run the same command again: it resumes",
        ) from error


def _usable_bytes(part: Path, file: ModelFile) -> int:
    """How much of the file is in `part`; one that is longer than it should be is deleted."""
    size = part.stat().st_size if part.exists() else 0
    if size > file.size_bytes:
        part.unlink()
        return 0
    return size


def _receive(url: str, part: Path, offset: int, file: ModelFile, report: Report, timeout_s: float) -> None:
    with _open(url, offset, timeout_s) as response:
        resumed = response.status == 206
        with disk_errors(part), part.open("ab" if resumed else "wb") as stream:
            _copy(response, stream, offset if resumed else 0, file.size_bytes, report)


def _copy(response: http.client.HTTPResponse, stream: IO[bytes], done: int, limit: int, report: Report) -> None:
    """Copies until the end, or until one byte too many shows that this is another file."""
    while done <= limit and (block := response.read(_BLOCK_BYTES)):
        stream.write(block)
        done += len(block)
        report(min(done, limit))


def _open(url: str, offset: int, timeout_s: float) -> http.client.HTTPResponse:
    if not url.startswith(("https://", "http://")):
        raise SourceFailed("it is not a web address")
    headers = {"User-Agent": "gpujob", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError:
        raise
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        raise SourceFailed(f"it cannot be reached ({_reason(error)})") from error
    if not isinstance(response, http.client.HTTPResponse):
        raise SourceFailed("it is not an HTTP server")
    return response


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return text or type(inner).__name__
