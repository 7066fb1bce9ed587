"""What a child writes to its output, line by line, and up to which of its orders that has been read.

Output and answers come through two pipes, so an answer may be read before what was written ahead of it. Invariant: once
`catch_up` has returned, all that the child wrote before its answer, or before it died, is among `lines`.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from contextlib import suppress
from typing import BinaryIO

MAX_LINE_BYTES = 8192
MAX_LINES = 4000
CATCH_UP_S = 5.0


def write_mark(mark: str, stderr: int = 2) -> None:
    """The child's end: says that an order is done. In one write, and on a line of its own whatever stood before it."""
    with suppress(OSError):
        os.write(stderr, f"\n{mark}\n".encode())


class Output:
    """The lines of one child; `read` is the target of the thread that reads them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._mark = ""
        self._markless = False  # it is at its end, or some job has closed the child's side
        self._caught_up = threading.Event()

    def expect(self, mark: str) -> None:
        """From now on `catch_up` waits for this mark."""
        self._mark = mark
        self._caught_up.clear()
        if self._markless:
            self._caught_up.set()

    def catch_up(self) -> None:
        """Waits until the mark has been read, or the end of the stream; in vain once, and for CATCH_UP_S, at most."""
        if not self._caught_up.wait(CATCH_UP_S):
            self._markless = True

    def lines(self) -> list[str]:
        """What has come since the last call; of a flood, the last lines and how many are missing."""
        found = [f"[{self._dropped} lines left out]"] if self._dropped else []
        self._dropped = 0
        while self._lines:
            found.append(self._lines.popleft())
        return found

    def add(self, line: str) -> None:
        """One more line."""
        if len(self._lines) >= MAX_LINES:
            self._lines.popleft()
            self._dropped += 1
        self._lines.append(line)

    def read(self) -> None:
        """Reads to the end of the stream."""
        empty = 0  # lines that are held back: the last one before a mark belongs to it
        with suppress(OSError, ValueError), self._stream as stream:
            while raw := stream.readline(MAX_LINE_BYTES):
                line = raw.decode(errors="replace").rstrip("\r\n")
                if not line:
                    empty += 1
                    continue
                ended = line == self._mark
                for text in [""] * (empty - ended):
                    self.add(text)
                empty = 0
                if ended:
                    self._caught_up.set()
                else:
                    self.add(line)
        self._markless = True
        self._caught_up.set()
