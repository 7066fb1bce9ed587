"""The files of an attempt on their way up: one after another, in the order in which they were made.

`Uploads` does it at once; `BesideUploads` in a thread of its own, while the work goes on. Invariant: a result is written
only after `finish` has returned, and names what `finish` returned.
"""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpujob import artifacts
from gpujob.clock import Task
from gpujob.errors import JobCancelled, JobFailed
from gpujob.protocol.lease import HeldLease
from gpujob.records import Artifact

from . import stopping


@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    media_type: str


class Uploads:
    """Uploads each file while its maker waits. `check` raises when the job has to stop."""

    def __init__(self, held: HeldLease, check: Callable[[], None]) -> None:
        self.made: list[Artifact] = []
        self.seconds = 0.0  # that the maker has waited for them while it worked
        self._held = held
        self._check = check
        self._names: set[str] = set()

    @property
    def pending(self) -> bool:
        """Whether files are still on their way."""
        return False

    def add(self, name: str, path: Path, media_type: str) -> None:
        """Takes over a finished file."""
        if name in self._names:
            raise JobFailed(f"the executor made two files called {name}", retryable=False)
        self._names.add(name)
        self._take(_File(name, path, media_type))

    def finish(self) -> None:
        """Returns when all files are in the bucket. Raises what kept one from it, or that the job has to stop."""

    def abandon(self) -> None:
        """Begins no further upload. One that is under way is not waited for: its bytes are nobody's, as it is in no result."""

    def _take(self, file: _File) -> None:
        elapsed = self._held.ctx.runtime.elapsed
        started_s = elapsed()
        self._upload(file)
        self.seconds += elapsed() - started_s

    def _upload(self, file: _File) -> None:
        self._go_on()
        held = self._held
        path = stopping.watched(file.path, self._go_on)
        self.made.append(artifacts.upload(held.ctx.bucket, held.prefix, file.name, path, media_type=file.media_type))

    def _go_on(self) -> None:
        """Raises where the job has to stop."""
        self._check()


class BesideUploads(Uploads):
    """Uploads in a thread. Each file gets a second name in `outbox` first, so that its maker may remove the first."""

    def __init__(self, held: HeldLease, check: Callable[[], None], outbox: Path) -> None:
        super().__init__(held, check)
        self._outbox = outbox
        self._queue: queue.Queue[_File | None] = queue.Queue()
        self._error: Exception | None = None
        self._task: Task | None = None

    @property
    def pending(self) -> bool:
        """Whether files are still on their way."""
        return self._task is not None and len(self.made) < len(self._names) and self._error is None

    def finish(self) -> None:
        """Returns when all files are in the bucket. Raises what kept one from it, or that the job has to stop."""
        if self._task is not None:
            self._queue.put(None)
            stopping.join(self._task, self._check)
            self._task = None
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Begins no further upload. One that is under way is not waited for: its bytes are nobody's, as it is in no result."""
        if self._task is not None:
            self._error = self._error or JobCancelled("the attempt is over")
            self._queue.put(None)
            self._task.join(stopping.LETS_GO_S)
            self._task = None

    def _take(self, file: _File) -> None:
        if self._error is not None:
            raise self._error
        kept = self._outbox / f"{len(self._names)}"
        self._outbox.mkdir(exist_ok=True)
        try:
            os.link(file.path, kept)
        except OSError:
            shutil.copyfile(file.path, kept)
        self._queue.put(_File(file.name, kept, file.media_type))
        self._task = self._task or self._held.ctx.runtime.spawn(f"uploads of {self._held.id}", self._work)

    def _go_on(self) -> None:
        """Raises where the job has to stop, or is over."""
        if self._error is not None:
            raise self._error
        self._check()

    def _work(self) -> None:
        while (file := self._queue.get()) is not None:
            if self._error is not None:
                continue
            try:
                self._upload(file)
                file.path.unlink(missing_ok=True)
            except Exception as error:  # noqa: BLE001 - the attempt's own thread raises it
                self._error = error
