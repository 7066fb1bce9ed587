"""The files of a result: up from an attempt, down into a person's folder.

Invariant: the sha256 and size in a result are those of the bytes under its key, and a file that is fetched is that
very file, under a name that stays in its folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.errors import ChecksumMismatch, LocalDisk, UnsafeName
from gpujob.fetching import Progress, Wanted, fetch
from gpujob.part_files import BLOCK_BYTES
from gpujob.records import Artifact

LOG_FOLDER = "log/"


def upload(bucket: Bucket, prefix: str, name: str, path: Path, *, media_type: str) -> Artifact:
    """Puts a file under an attempt's prefix and returns what the result says of it.

    Each name once per attempt. Raises UnsafeName, LocalDisk (the file cannot be read), ChecksumMismatch (it changed
    meanwhile: finish writing it first).
    """
    if keys.artifact_name(name).casefold().startswith(LOG_FOLDER):
        raise UnsafeName(f"{name!r} is refused: {LOG_FOLDER} is where the attempt's own log lives")
    with Snapshot(path) as snapshot:
        key = prefix + name
        bucket.upload(key, path, media_type=media_type)
    return Artifact(name=name, key=key, media_type=media_type, size_bytes=snapshot.size_bytes, sha256=snapshot.sha256)


def download(
    bucket: Bucket,
    artifacts: Iterable[Artifact],
    out: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    workers: int = 4,
) -> list[Path]:
    """Fetches files into `out`, several at a time, and returns their paths in the order of `artifacts`.

    What is there already is kept; what a broken download left is gone on with. `progress(name, done_bytes,
    total_bytes)` is called by one thread at a time. All names are checked, and files in the way are found, before the
    first byte is fetched. Raises UnsafeName; Conflict for a different file in the way (without `force`);
    ChecksumMismatch for one that is missing, truncated or altered in the store, whose target is left untouched;
    LocalDisk; Unavailable (call again: it resumes).
    """
    wanted = [_wanted(artifact) for artifact in artifacts]
    return fetch(bucket, wanted, out, force=force, progress=progress, workers=workers)


class Snapshot:
    """A file's sha256 and size; leaving the block raises ChecksumMismatch if it has changed since they were taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._first = _mark(os.fstat(stream.fileno()))
                digest = hashlib.sha256()
                self.size_bytes = 0
                while block := stream.read(BLOCK_BYTES):
                    digest.update(block)
                    self.size_bytes += len(block)
        except OSError as error:
            raise LocalDisk(f"cannot read {path}: {error.strerror}", hint="Check its name and permissions.") from error
        self.sha256 = digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        if kind is None and self.changed():
            raise ChecksumMismatch(
                f"{self.path} changed while it was uploaded", hint="Finish writing it, then try again."
            )

    def changed(self) -> bool:
        """Whether the file is no longer the one that was read."""
        try:
            return _mark(self.path.stat()) != self._first or self._first[1] != self.size_bytes
        except OSError:
            return True


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    """What changes with the bytes; the ctime is none of it, since a second name that comes or goes changes that too."""
    return found.st_ino, found.st_size, found.st_mtime_ns


def _wanted(artifact: Artifact) -> Wanted:
    where = keys.parse_artifact(artifact.key)
    if where is None:
        raise UnsafeName(f"{artifact.key!r} is not the key of an artifact")
    keys.artifact_name(where.name)
    return Wanted(artifact.name, artifact.key, artifact.size_bytes, artifact.sha256)
