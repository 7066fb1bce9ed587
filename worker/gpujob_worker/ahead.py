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
from gpujob.clock import Runtime, Task
from gpujob.errors import GpujobError
from gpujob.fetching import Check
from gpujob.protocol.context import Context
from gpujob.records import Manifest, decode, is_hint

from . import stopping

log = logging.getLogger("gpujob.worker")

MOST_BYTES = 4 * 2**30


class _Unwanted(Exception):
    """Nobody waits for these inputs any longer."""


class _Fetch:
    """One job's inputs on their way down, in a folder that goes once they are neither wanted nor being fetched."""

    def __init__(self, job_id: str, runtime: Runtime) -> None:
        self.job = job_id
        self.folder: Path | None = None
        self._lock = runtime.lock()
        self._unwanted = False
        self._ended = False

    def check(self) -> None:
        """Raises once nobody wants them."""
        if self._unwanted:
            raise _Unwanted

    def forget(self) -> None:
        """Nobody wants them: whoever fetches them stops at the next chunk."""
        with self._lock:
            self._unwanted = True
            ended = self._ended
        if ended:
            self.remove()

    def end(self) -> None:
        """They are fetched no longer."""
        with self._lock:
            self._ended = True
            unwanted = self._unwanted
        if unwanted:
            self.remove()

    def remove(self) -> None:
        """Removes what has come."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class Ahead:
    """One fetch at a time that is wanted. `serves` says whether this worker would run a manifest."""

    def __init__(self, ctx: Context, serves: Callable[[Manifest], bool], *, scratch: Path | None = None) -> None:
        self._ctx = ctx
        self._serves = serves
        self._scratch = scratch
        self._kinds: set[str] = set()  # whose jobs have had inputs: the others are not asked for
        self._running: dict[_Fetch, Task] = {}
        self._wanted: _Fetch | None = None

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
        self._running = {fetch: task for fetch, task in self._running.items() if task.is_alive()}
        self._wanted = fetch = _Fetch(where.id, self._ctx.runtime)
        self._running[fetch] = self._ctx.runtime.spawn(f"inputs of {where.id}", lambda: self._work(fetch, key))

    def take(self, job_id: str, folder: Path, check: Check) -> None:
        """Moves what was fetched for this job to `folder`, which must not be there yet; another job's goes.

        Waits for the rest of its own; what `check` raises meanwhile ends that.
        """
        fetch = self._wanted
        if fetch is None or fetch.job != job_id:
            self.drop()
            return
        try:
            stopping.join(self._running[fetch], check)
            if fetch.folder is not None:
                fetch.folder.rename(folder)
        except OSError as error:
            log.info("what was fetched ahead for %s is not used: %s", job_id, error)
        finally:
            self.drop()

    def drop(self) -> None:
        """Forgets what was fetched, and does not wait for who fetches it."""
        if self._wanted is not None:
            self._wanted.forget()
            self._wanted = None

    def close(self) -> None:
        """Forgets what was fetched, and leaves nothing of it behind."""
        self.drop()
        for fetch, task in self._running.items():
            task.join(stopping.LETS_GO_S)
            fetch.remove()

    def _work(self, fetch: _Fetch, key: str) -> None:
        try:
            self._fetch(fetch, key)
        except (GpujobError, OSError) as error:
            log.info("the inputs of %s were not fetched ahead: %s", fetch.job, error)
        except _Unwanted:
            log.info("the inputs of %s are not wanted any longer", fetch.job)
        finally:
            fetch.end()

    def _fetch(self, fetch: _Fetch, key: str) -> None:
        found = self._ctx.get(key)
        if found is None or is_hint(found.body):
            return
        manifest = decode(Manifest, key, found.body)
        if not manifest.files or not self._serves(manifest) or _size(manifest) > MOST_BYTES:
            return
        fetch.folder = Path(tempfile.mkdtemp(prefix="gpujob-ahead-", dir=self._scratch))
        inputs.fetch(self._ctx.bucket, manifest.files, fetch.folder, check=fetch.check)


def _size(manifest: Manifest) -> int:
    return sum(file.size_bytes for file in manifest.files)
