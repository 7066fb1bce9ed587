"""Child processes that work on a folder bucket until they are killed; each acknowledged step is one byte in a pipe."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from collections.abc import Callable


class Victim:
    """Runs `step` again and again in a forked process, and writes a byte to a pipe after each."""

    def __init__(self, step: Callable[[int], None]) -> None:
        self._read, write = os.pipe()
        self.acknowledged = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads: the child uses none of them
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._read)
            _work(step, write)
        os.close(write)

    def wait_for(self, steps: int) -> None:
        """Returns when so many more steps are acknowledged."""
        while steps > 0:
            heard = len(os.read(self._read, steps))
            assert heard, "the process ended by itself; its traceback is above"
            self.acknowledged += heard
            steps -= heard

    def kill(self) -> None:
        """kill -9, wherever it is; afterwards `acknowledged` counts all that it said."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        while heard := len(os.read(self._read, 65536)):
            self.acknowledged += heard
        os.close(self._read)

    def suspend(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def _work(step: Callable[[int], None], write: int) -> None:
    number = 0
    try:
        while True:
            step(number)
            os.write(write, b".")
            number += 1
    except BaseException:  # noqa: BLE001 - the child must not run the parent's tests
        traceback.print_exc()
    finally:
        os._exit(1)
