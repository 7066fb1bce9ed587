"""A worker's share in the bucket's model cache: takes models from there at its start, and leaves there what it has.

Best effort, and out of the way: what goes up goes up in a thread, after the first job that succeeded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gpujob import model_mirror, models
from gpujob.buckets.base import Bucket
from gpujob.clock import SYSTEM, Runtime

from .executor import Executor

log = logging.getLogger("gpujob.worker")


class ModelCache:
    """The catalogue models of some executors, between this disk and the bucket."""

    def __init__(self, bucket: Bucket, executors: Sequence[Executor], *, runtime: Runtime = SYSTEM) -> None:
        self._bucket = bucket
        self._names = [name for executor in executors for name in executor.catalogue_models()]
        self._runtime = runtime
        self._kept = False

    def restore(self) -> None:
        """Fetches from the bucket what is not on this disk: of each executor's models the first that is there."""
        for name in self._names:
            if models.is_installed(name):
                return
            started_s = self._runtime.elapsed()
            if model_mirror.restore(self._bucket, name):
                log.info("took the model %s from the bucket in %.1f s", name, self._runtime.elapsed() - started_s)
                return

    def hear(self, event: str) -> None:
        """Hears what the worker does; after the first success it leaves the models in the bucket."""
        if event == "succeeded" and not self._kept and self._names:
            self._kept = True
            self._runtime.spawn("model cache", self._keep)

    def _keep(self) -> None:
        for name in self._names:
            sent = model_mirror.keep(self._bucket, name)
            if sent:
                log.info("left the model %s in the bucket, %d MB, for machines that lack it", name, sent // 10**6)
