"""A job's input files: up by content when it is submitted, down when it is run.

Invariant: an input that a job names is in the bucket before the job is, and stays as long as the job may need it: one
that is older than half the retention is put again.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gpujob import keys
from gpujob.artifacts import Snapshot
from gpujob.buckets.base import Bucket
from gpujob.errors import CorruptRecord, GpujobError, InvalidSpec, LocalDisk
from gpujob.fetching import Check, Progress, Wanted
from gpujob.fetching import fetch as fetch_files
from gpujob.home_paths import at_home
from gpujob.names import check_names
from gpujob.protocol.context import Context
from gpujob.records import InputFile
from gpujob.specs.problems import Problem


class FileEntry(Protocol):
    """A row of the spec's `files`; without a `source` the file is called as its name says."""

    @property
    def name(self) -> str: ...
    @property
    def source(self) -> str | None: ...


@dataclass(frozen=True)
class _Source:
    name: str
    path: Path


def upload(
    ctx: Context, files: Iterable[FileEntry], *, base_dir: Path, progress: Progress | None = None
) -> tuple[InputFile, ...]:
    """Puts the files where they are not in the bucket yet, and returns what the manifest says of them.

    Sources are relative to `base_dir`; all are looked at before the first is sent. Raises InvalidSpec, naming every
    source that cannot be read.
    """
    sources = _look_at(list(files), base_dir)
    sent: set[str] = set()
    return tuple(_upload(ctx, source, sent, progress) for source in sources)


def fetch(bucket: Bucket, files: Iterable[InputFile], folder: Path, *, check: Check | None = None) -> dict[str, Path]:
    """Fetches a job's inputs into `folder`, verified, and returns their paths by name. Errors as in artifacts.download.

    What `check` raises between two chunks ends it.
    """
    wanted = [Wanted(file.name, keys.input_file(file.sha256), file.size_bytes, file.sha256) for file in files]
    paths = fetch_files(bucket, wanted, folder, check=check) if wanted else []
    return {file.name: path for file, path in zip(wanted, paths, strict=True)}


def _look_at(files: list[FileEntry], base_dir: Path) -> list[_Source]:
    check_names(file.name for file in files)
    sources = [_Source(file.name, base_dir / at_home(file.source or file.name)) for file in files]
    problems = tuple(
        Problem(str(base_dir), 0, 0, f"files[{row}].source", problem)
        for row, source in enumerate(sources)
        if (problem := unreadable(source.path)) is not None
    )
    if problems:
        raise InvalidSpec(
            "\n".join(str(problem) for problem in problems),
            problems=problems,
            hint=f"Paths are relative to {base_dir.absolute()}. Nothing was sent.",
        )
    return sources


def unreadable(path: Path) -> str | None:
    """Why a source cannot be sent; None where it can."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return f"{path} is not a file"
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return f"there is no file {path}"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"


def _upload(ctx: Context, source: _Source, sent: set[str], progress: Progress | None) -> InputFile:
    try:
        snapshot = Snapshot(source.path)
    except LocalDisk as error:
        raise InvalidSpec(error.message, hint=error.hint) from error
    report = progress or _silent
    report(source.name, 0, snapshot.size_bytes)
    key = keys.input_file(snapshot.sha256)
    if snapshot.sha256 not in sent and not _lasts(ctx, key, snapshot.size_bytes):
        _send(ctx.bucket, key, snapshot)
    sent.add(snapshot.sha256)
    report(source.name, snapshot.size_bytes, snapshot.size_bytes)
    return InputFile(name=source.name, sha256=snapshot.sha256, size_bytes=snapshot.size_bytes)


def _lasts(ctx: Context, key: str, size_bytes: int) -> bool:
    """Whether the bucket has the input, and will keep it for at least half the retention."""
    try:
        head = ctx.head(key)
    except CorruptRecord:
        return False
    if head is None or head.size_bytes != size_bytes:
        return False
    return head.date - head.last_modified < ctx.config.retention_s / 2


def _send(bucket: Bucket, key: str, snapshot: Snapshot) -> None:
    try:
        bucket.upload(key, snapshot.path)
    except LocalDisk as error:
        raise InvalidSpec(error.message, hint=error.hint) from error
    if snapshot.changed():
        _drop_quietly(bucket, key)  # other bytes than the key says may be there now
        raise InvalidSpec(
            f"{snapshot.path} changed while it was uploaded", hint="Finish writing it, then submit again."
        )


def _drop_quietly(bucket: Bucket, key: str) -> None:
    with suppress(GpujobError):  # whoever fetches it finds that its sha256 is wrong
        bucket.delete(key)


def _silent(name: str, done_bytes: int, total_bytes: int) -> None:
    """Progress for nobody."""
