"""Fetches objects into a folder: in parallel, resumed, verified by sha256.

Invariant: a file gets its name only after its size and sha256 were right; what was fetched so far survives a broken
connection, Ctrl-C and a full disk, and the next call goes on from there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from gpujob.buckets.base import Bucket
from gpujob.errors import Busy, ChecksumMismatch, Unavailable
from gpujob.names import check_names
from gpujob.part_files import Part
from gpujob.placing import OutFolder, different

STALLS = 3  # openings of a stream in a row that brought nothing

Progress = Callable[[str, int, int], None]
Check = Callable[[], None]  # raises when its caller has to stop


@dataclass(frozen=True)
class Wanted:
    """One file to fetch: its name in the folder, and what must come out of `key`."""

    name: str
    key: str
    size_bytes: int
    sha256: str


class _Stopped(Exception):
    """Another file of the same call failed."""


def fetch(
    bucket: Bucket,
    wanted: Sequence[Wanted],
    out: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    check: Check | None = None,
    workers: int = 4,
) -> list[Path]:
    """The paths of all files, once all are whole and in place. See `gpujob.artifacts.download` for the errors.

    `check` is called before each chunk, by several threads at a time; what it raises ends the call, and comes out of it.
    """
    check_names(file.name for file in wanted)
    with OutFolder(out) as folder:
        fetcher = _Fetcher(bucket, folder, force, progress, check)
        fetcher.fetch_all(fetcher.missing(wanted), workers)
    return [out / file.name for file in wanted]


class _Fetcher:
    """One call: shares the folder, the callbacks and the word to stop among its threads."""

    def __init__(
        self, bucket: Bucket, folder: OutFolder, force: bool, progress: Progress | None, check: Check | None
    ) -> None:
        self._bucket = bucket
        self._folder = folder
        self._force = force
        self._progress = progress
        self._check = check
        self._talking = threading.Lock()
        self._stop = threading.Event()

    def missing(self, wanted: Iterable[Wanted]) -> list[Wanted]:
        """Those that are not here yet. Conflict if any stands in the way, before a byte is fetched."""
        missing = []
        for file in wanted:
            standing = self._folder.standing(file.name, file.sha256, file.size_bytes)
            if standing == "different" and not self._force:
                raise different(self._folder.path / file.name)
            if standing == "same":
                self._report(file, file.size_bytes)
            else:
                missing.append(file)
        return missing

    def fetch_all(self, files: Sequence[Wanted], workers: int) -> None:
        with ThreadPoolExecutor(workers, "fetch") as pool:
            tasks = [pool.submit(self._fetch, file) for file in files]
            try:
                wait(tasks, return_when=FIRST_EXCEPTION)
            finally:  # after a failure, and on Ctrl-C
                if not all(task.done() and task.exception() is None for task in tasks):
                    self._stop.set()
                    pool.shutdown(cancel_futures=True)
        errors = [task.exception() for task in tasks if not task.cancelled() and task.exception() is not None]
        for error in errors:
            if error is not None and not isinstance(error, _Stopped):
                raise error

    def _fetch(self, file: Wanted) -> None:
        label = f"{file.sha256}-{hashlib.sha256(file.name.encode()).hexdigest()[:16]}"
        with self._folder.part(label) as part:
            problem = self._fill(part, file)
            if problem:
                part.restart()
                problem = self._fill(part, file)
            if problem:
                self._folder.discard(part)
                raise ChecksumMismatch(
                    f"{file.name} is damaged in the store, or on both ways from there: {problem}",
                    hint="Nothing was written under that name. Fetch it again; if that says the same, `gpujob retry` "
                    "computes it again.",
                )
            self._folder.place(part, file.name, sha256=file.sha256, force=self._force)

    def _fill(self, part: Part, file: Wanted) -> str:
        """Fetches what the part lacks; says what is wrong with the whole, or nothing."""
        if part.size_bytes > file.size_bytes:
            part.restart()
        digest = part.digest()
        stalls = 0
        while part.size_bytes < file.size_bytes:
            before = part.size_bytes
            try:
                self._receive(part, file, digest)
                break
            except (Unavailable, Busy):
                stalls = 0 if part.size_bytes > before else stalls + 1
                if stalls == STALLS:
                    raise
        if part.size_bytes != file.size_bytes:
            relation = "ends after" if part.size_bytes < file.size_bytes else "goes on after"
            end = min(part.size_bytes, file.size_bytes)
            return f"it {relation} {end} bytes, and should have {file.size_bytes}"
        return "" if digest.hexdigest() == file.sha256 else f"its sha256 is not {file.sha256}"

    def _receive(self, part: Part, file: Wanted, digest: hashlib._Hash) -> None:
        self._go_on()
        with self._bucket.download(file.key, offset=part.size_bytes) as chunks:
            if chunks is None:
                self._folder.discard(part)
                raise ChecksumMismatch(
                    f"{file.name} is missing in the store: there is no {file.key}",
                    hint="It may have been removed by gc or by hand. `gpujob retry` computes it again.",
                )
            for chunk in chunks:
                self._go_on()
                part.append(chunk)
                digest.update(chunk)
                self._report(file, min(part.size_bytes, file.size_bytes))
                if part.size_bytes > file.size_bytes:
                    return

    def _go_on(self) -> None:
        """Raises where the call has to end."""
        if self._stop.is_set():
            raise _Stopped
        if self._check is not None:
            self._check()

    def _report(self, file: Wanted, done_bytes: int) -> None:
        if self._progress is not None:
            with self._talking:
                self._progress(file.name, done_bytes, file.size_bytes)
