"""Ctrl-C and SIGTERM: the first drains, the second gives the job back, the third leaves at once.

A handler may interrupt its own thread inside a lock, so it only hands over to a thread that acts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

from gpujob.clock import Runtime

from .worker import Worker

AT_ONCE = 130


class Leaving:
    """Turns signals into `drain` and `stop`; `say` gets a sentence for the person at the terminal."""

    def __init__(self, worker: Worker, runtime: Runtime, say: Callable[[str], None]) -> None:
        self._worker = worker
        self._runtime = runtime
        self._say = say
        self._heard = 0

    def install(self) -> None:
        """Listens from now on. Main thread only."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._heard += 1
        if self._heard >= 3:
            os._exit(AT_ONCE)
        self._runtime.spawn("leaving", self._act)

    def _act(self) -> None:
        if self._heard == 1:
            self._say("draining: this job is finished first. Once more gives it back; a third time leaves at once.")
            self._worker.drain()
        else:
            self._say("giving the job back to the queue.")
            self._worker.stop()
