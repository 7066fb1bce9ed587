"""The inputs of the job that is likely to come next, fetched while this one computes.

Inputs are addressed by content, so no lease is needed: where another worker takes the job, only the fetch was in vain.
Best effort: what fails here is fetched when the job runs.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from gpujob import inputs, keys
from gpujob.clock import Task
from gpujob.errors import GpujobError
from gpujob.protocol.context import Context
from gpujob.records import Manifest, decode, is_hint

log = logging.getLogger("gpujob.worker")

MOST_BYTES = 4 * 2**30


class Ahead:
    """One fetch at a time. `serves` says whether this worker would run a manifest."""

    def __init__(self, ctx: Context, serves: Callable[[Manifest], bool], *, scratch: Path | None = None) -> None:
        self._ctx = ctx
        self._serves = serves
        self._scratch = scratch
        self._kinds: set[str] = set()  # whose jobs have had inputs: the others are not asked for
        self._task: Task | None = None
        self._folder: Path | None = None
        self._job = ""

    def saw(self, manifest: Manifest) -> None:
        """A job was claimed: learns whether jobs of its kind have inputs."""
        if manifest.files:
            self._kinds.add(manifest.kind)

    def begin(self, key: str) -> None:
        """Fetches the inputs of the job behind a pending key, in a thread."""
        where = keys.parse_pending(key)
        if where is None or where.kind not in self._kinds:
            return
        self.drop()
        self._job = where.id
        self._task = self._ctx.runtime.spawn(f"inputs of {where.id}", lambda: self._fetch(key))

    def take(self, job_id: str, folder: Path) -> None:
        """Moves what was fetched for this job to `folder`, which must not be there yet; another job's goes."""
        if self._job != job_id:
            self.drop()
            return
        self._join()
        if self._folder is not None:
            try:
                self._folder.rename(folder)
            except OSError as error:
                log.info("what was fetched ahead for %s is not used: %s", job_id, error)
                shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._job = None, ""

    def drop(self) -> None:
        """Forgets what was fetched."""
        self._join()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder, self._job = None, ""

    def _join(self) -> None:
        if self._task is not None:
            self._task.join()
            self._task = None

    def _fetch(self, key: str) -> None:
        try:
            found = self._ctx.get(key)
            if found is None or is_hint(found.body):
                return
            manifest = decode(Manifest, key, found.body)
            if not manifest.files or not self._serves(manifest) or _size(manifest) > MOST_BYTES:
                return
            self._folder = Path(tempfile.mkdtemp(prefix="gpujob-ahead-", dir=self._scratch))
            inputs.fetch(self._ctx.bucket, manifest.files, self._folder)
        except (GpujobError, OSError) as error:
            log.info("the inputs of %s were not fetched ahead: %s", self._job, error)


def _size(manifest: Manifest) -> int:
    return sum(file.size_bytes for file in manifest.files)
