"""Worker processes for tests, and waiting for what they say rather than for time to pass."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE_S = 100.0


class WorkerProcess:
    """`python -m gpujob_worker` on a store; every line it prints can be waited for."""

    def __init__(
        self,
        url: str,
        home: Path,
        *flags: str,
        env: dict[str, str] | None = None,
        command: tuple[str, ...] = ("-m", "gpujob_worker"),
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, *command, "--store", url, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "HOME": str(home), "PYTHONUNBUFFERED": "1", **(env or {})},
            cwd=home,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip())
        self._queue.put(None)

    def wait_for(self, text: str) -> str:
        """The next line that contains `text`."""
        while True:
            line = self._queue.get(timeout=PATIENCE_S)
            assert line is not None, f"the worker ended before it said {text!r}: {self.lines}"
            self.lines.append(line)
            if text in line:
                return line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Waits for the process to leave by itself; its exit code."""
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
