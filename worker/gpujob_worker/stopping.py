"""What takes long and yet ends when the job has to stop: the wait for another thread, and a file on its way up.

Invariant: whoever is told to stop raises at the next block, or at the next look, whatever is in hand.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path, PosixPath
from typing import Any

from gpujob.clock import Task

CHECK_EVERY_S = 0.5
LETS_GO_S = 1.0  # for a thread that was told to stop; one that hangs in a request is not waited for any longer
BLOCK_BYTES = 1 << 20


def join(task: Task, check: Callable[[], None]) -> None:
    """Returns when the task has ended. Raises what `check` raises meanwhile."""
    while task.is_alive():
        check()
        task.join(CHECK_EVERY_S)


class Watched(PosixPath):
    """A file whose readers stop when `check` raises: that is how an upload of any store ends between two blocks."""

    check: Callable[[], None] | None = None

    def open(self, mode: str = "r", *args: Any, **more: Any) -> Any:
        if mode != "rb" or self.check is None:
            return super().open(mode, *args, **more)
        return io.BufferedReader(_Blocks(self, self.check), BLOCK_BYTES)


def watched(path: Path, check: Callable[[], None]) -> Path:
    """The same path; `check` is called before each block that is read of it, by whoever reads."""
    made = Watched(path)
    made.check = check
    return made


class _Blocks(io.FileIO):
    """The bytes of a file; `check` has a say before each block."""

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        super().__init__(path)
        self._check = check

    def readinto(self, buffer: Any, /) -> int:
        self._check()
        return super().readinto(buffer)

    def readall(self) -> bytes:
        blocks = []
        while block := self.read(BLOCK_BYTES):
            blocks.append(block)
        return b"".join(blocks)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            return self.readall()
        self._check()
        return super().read(size)
