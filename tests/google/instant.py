"""Time for tests on the imitation: whoever waits for a turn is there at once, and the turnstile's clock with them."""

from __future__ import annotations

import threading

from gpujob.clock import SystemRuntime
from tests.google.objects import Turnstile


class InstantTurns(SystemRuntime):
    """A runtime whose `elapsed` moves on only by `sleep`, which takes no time; `turnstile` goes by the same clock."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._elapsed_s = 0.0
        self.turnstile = Turnstile(clock=self.elapsed)

    def elapsed(self) -> float:
        with self._guard:
            return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        with self._guard:
            self._elapsed_s += seconds
