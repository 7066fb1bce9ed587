"""`AttemptContext`: one attempt as its executor sees it, over the lease that this worker holds.

Every call looks first whether the job must stop, so a worker that knows it has lost its lease uploads nothing more.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from gpujob.bounds import MAX_COUNT
from gpujob.errors import JobCancelled, JobExpired, JobFailed, JobReleased, JobTimedOut
from gpujob.protocol.lease import HeldLease
from gpujob.records import MAX_PROGRESS_BYTES, Progress
from gpujob.redaction import Redactor

from .executor import StepCache
from .logs import LogUploader
from .stopping import CHECK_EVERY_S
from .uploads import BesideUploads, Uploads

MOST_WARNINGS = 100
MOST_WARNING_CHARS = 2000


class AttemptContext:
    """Implements `gpujob_worker.executor.JobContext`."""

    def __init__(
        self,
        held: HeldLease,
        *,
        workdir: Path,
        cache: StepCache,
        leaving: Callable[[], bool],
        secrets: Mapping[str, str] = {},
        outbox: Path | None = None,
    ) -> None:
        """With `outbox`, a folder of this attempt's own, files go up beside the work."""
        manifest = held.manifest
        self.id = held.id
        self.kind = manifest.kind
        self.input = manifest.input
        self.attempt = held.record.attempt
        self.files: Mapping[str, Path] = {}  # until they are here
        self.workdir = workdir
        self.cache = cache
        self.secrets = secrets
        self.redactor = Redactor(secrets)  # the values stay out of logs, progress, warnings, errors and the output
        self.warnings: list[str] = []
        self.uploads = Uploads(held, self.check) if outbox is None else BesideUploads(held, self.check, outbox)
        self.logs = LogUploader(held)
        self._held = held
        self._leaving = leaving
        self._runtime = held.ctx.runtime
        now_s = self._runtime.elapsed()
        self._timeout_at_s = now_s + manifest.timeout_s
        self._expires_at_s = now_s + held.record.expires_at - held.ctx.store_now()

    def progress(self, done: float, total: float, message: str = "", *, partial: str = "") -> None:
        """Reports how far the attempt is; travels with the next beat."""
        self.check()
        self._held.report(
            Progress(
                done=_share(done),
                total=_share(total),
                message=self.redactor.text(message)[:500],
                partial=_last_bytes(self.redactor.text(partial), MAX_PROGRESS_BYTES // 2),
            )
        )
        self.logs.flush_if_due()

    def loading(self, done: float, total: float, message: str) -> None:
        """Reports how far the loading of models is; an executor's `load` gets this as its `report`."""
        self.check()
        message = self.redactor.text(message)[:500]
        self._held.report(Progress(phase="load", done=_share(done), total=_share(total), message=message))
        self.logs.flush_if_due()

    def check(self) -> None:
        """Raises the JobStopped that applies, if one does."""
        if not self._held.trusted():
            raise JobCancelled(f"the lease of {self.id} is no longer ours ({self._held.lost})")
        now_s = self._runtime.elapsed()
        if now_s >= self._expires_at_s:
            raise JobExpired(f"the ttl of {self.id} has passed")
        if now_s >= self._timeout_at_s:
            raise JobTimedOut(f"ran longer than its timeout of {self._held.manifest.timeout_s:g} s")
        if self._leaving():
            raise JobReleased(f"gave {self.id} back")

    def computed(self) -> None:
        """The run is over: what follows has no timeout."""
        self._timeout_at_s = math.inf

    def sleep(self, seconds: float) -> None:
        """Waits, and raises JobStopped as soon as the job has to stop."""
        until_s = self._runtime.elapsed() + seconds
        while True:
            self.check()
            left_s = until_s - self._runtime.elapsed()
            if left_s <= 0:
                return
            self._held.wait_for_loss(min(left_s, CHECK_EVERY_S))

    def artifact(self, name: str, path: Path, *, media_type: str) -> None:
        """Uploads a finished file under `name` and records its size and sha256."""
        self.check()
        _require_own_file(self.workdir, name, path)
        self.uploads.add(name, path, media_type)

    def log(self, text: str) -> None:
        """Adds a line to the job's log."""
        self.logs.line(self.redactor.text(text))

    def warn(self, text: str) -> None:
        """Adds a warning to the result, once; the first hundred of them."""
        text = self.redactor.text(str(text))  # a plug-in may say anything
        text = text[:MOST_WARNING_CHARS]
        if text not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(text)
            self.logs.line(f"warning: {text}")


def _last_bytes(text: str, limit: int) -> str:
    return text.encode(errors="replace")[-limit:].decode(errors="ignore")


def _share(value: float) -> float:
    """A number that a lease may hold: an executor's arithmetic may have ended in anything."""
    return min(max(0.0, value), MAX_COUNT) if math.isfinite(value) else 0.0


def _require_own_file(workdir: Path, name: str, path: Path) -> None:
    """Raises JobFailed for a link, or anything but a file: what a job's data planted must not lead out of its folder."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise JobFailed(f"{name} is not uploaded: it is a link, or no file", retryable=False)
        within = path.absolute().is_relative_to(workdir.absolute())
        leaves = within and not path.resolve(strict=True).is_relative_to(workdir.resolve())
    except (OSError, RuntimeError):  # until Python 3.12 a loop of links is a RuntimeError
        return  # the upload says what is wrong with it
    if leaves:
        raise JobFailed(f"{name} is not uploaded: it leads out of the job's folder", retryable=False)
