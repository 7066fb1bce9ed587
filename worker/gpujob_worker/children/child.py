"""The worker's end: one child process, its messages and its output, and the reason when it dies.

Invariant: once `close` or `kill` has returned, neither the process nor anything in its process group is left.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpujob.chance import nonce, system_random
from gpujob.clock import SYSTEM
from gpujob.settings import child_environment

from . import messages
from .output import Output

CLOSE_S = 5.0
_VMSTAT = Path("/proc/vmstat")


class Child:
    """A started process that hosts the executor `target` (package.module:Class)."""

    def __init__(self, target: str, *, environment: Mapping[str, str] = {}) -> None:
        self._memory_kills = memory_kills()
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gpujob_worker.children.host", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment() | dict(environment),
            start_new_session=True,
        )
        assert self._process.stderr is not None
        self._output = Output(self._process.stderr)  # type: ignore[arg-type]
        SYSTEM.spawn(f"messages of {target}", self._read_messages)
        SYSTEM.spawn(f"output of {target}", self._output.read)

    @property
    def pid(self) -> int:
        """The process's number, which is its process group's too."""
        return self._process.pid

    def order(self, message: Mapping[str, Any]) -> None:
        """Gives the child something to do, to be answered by one message."""
        mark = nonce(system_random())
        self._output.expect(mark)
        self.send({**message, "mark": mark})

    def send(self, message: Mapping[str, Any]) -> None:
        """Says something to the child; silent where it has died: `next` tells."""
        assert self._process.stdin is not None
        with suppress(OSError):
            messages.write(self._process.stdin, message)  # type: ignore[arg-type]

    def next(self, timeout_s: float) -> dict[str, Any] | None:
        """The next message, or None when there was none in time. Raises EOFError once the child has died."""
        try:
            message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)
            raise EOFError(self.death())
        return message

    def lines(self) -> list[str]:
        """What the child wrote to its output since the last call; of a flood, the last lines and how many are missing."""
        return self._output.lines()

    def last_lines(self) -> list[str]:
        """The same once the child has answered or died: nothing that it wrote before is still on its way."""
        self._output.catch_up()
        return self._output.lines()

    def lives(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def death(self) -> str:
        """How the process ended, in words."""
        code = self._code()
        if code >= 0:
            return f"it ended by itself with exit code {code}"
        name = signal.Signals(-code).name if -code in signal.valid_signals() else f"signal {-code}"
        return f"it was ended by {name}"

    def killed_for_memory(self) -> bool:
        """Whether the kernel's memory killer is to blame, as far as can be told: SIGKILL, and its count has grown."""
        if self._code() != -signal.SIGKILL:
            return False
        before, now = self._memory_kills, memory_kills()
        return before is None or now is None or now > before

    def _code(self) -> int:
        """The exit code of a child that says nothing any more; one that lives on without a voice is killed."""
        try:
            return self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def close(self) -> None:
        """Asks the child to leave, and kills it where it does not."""
        self.send({"op": "close"})
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_S)
        self.kill()

    def kill(self) -> None:
        """Ends the process with all that it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := messages.read(self._process.stdout)) is not None:  # type: ignore[arg-type]
                self._messages.put(message)
        except (messages.Garbled, OSError, ValueError) as error:
            self._output.add(f"the child's messages cannot be read: {error}")
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._messages.put(None)


def memory_kills() -> int | None:
    """How many processes the kernel's memory killer has ended since it started; None where it does not say."""
    try:
        rows = dict(line.split() for line in _VMSTAT.read_text().splitlines())
        return int(rows["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None
