"""A job's log: numbered chunks under the attempt's prefix, each put once, at most one a beat.

Best effort: a store that refuses a chunk costs lines of the log, never the job. Invariant: where lines are missing the log
says how many, and what was written last is in it, however long the job runs.
"""

from __future__ import annotations

import logging
from collections import deque

from gpujob import keys
from gpujob.errors import GpujobError
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.writes import create

log = logging.getLogger("gpujob.worker")

MAX_CHUNK_BYTES = 256 * 1024
MAX_CHUNKS = 1000
ONE_A_BEAT = 500  # chunks; then the pause before the next one
DOUBLES_EVERY = 50  # chunks: with beats of ten seconds the thousand last for twelve days


class LogUploader:
    """Collects an attempt's log lines and puts them into the bucket now and then."""

    def __init__(self, held: HeldLease) -> None:
        self.chunks = 0
        self._held = held
        self._runtime = held.ctx.runtime
        self._lines: deque[str] = deque()
        self._size_bytes = 0
        self._missing = 0
        self._flushed_s = self._runtime.elapsed()

    def line(self, text: str) -> None:
        """Adds a line; of what exceeds the limits of one chunk the last lines are kept."""
        self._lines.append(text)
        self._size_bytes += _size_bytes(text)
        while self._size_bytes > MAX_CHUNK_BYTES:
            self._size_bytes -= _size_bytes(self._lines.popleft())
            self._missing += 1
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Puts a chunk if it is time for the next one; the last of all is kept for the end."""
        if self.chunks < MAX_CHUNKS - 1 and self._runtime.elapsed() - self._flushed_s >= self._pause_s():
            self.flush()

    def flush(self) -> None:
        """Puts what has been collected."""
        self._flushed_s = self._runtime.elapsed()
        lines, missing = list(self._lines), self._missing
        if not lines and not missing:
            return
        notice = [f"[{missing} lines left out]"] if missing else []
        body = ("\n".join(notice + lines) + "\n").encode(errors="replace")
        self._lines.clear()
        self._size_bytes = self._missing = 0
        try:
            create(self._held.ctx.bucket, keys.log_chunk(self._held.prefix, self.chunks), body)
            self.chunks += 1
        except GpujobError as error:
            self._missing = missing + len(lines)
            log.warning("a part of the log of %s was not stored: %s", self._held.id, error)

    def _pause_s(self) -> float:
        """The least time between two chunks: a beat, and the longer the more of them there are."""
        doublings = max(0, self.chunks - ONE_A_BEAT) // DOUBLES_EVERY
        return self._held.record.beat_s * 2.0**doublings


def _size_bytes(text: str) -> int:
    return len(text.encode(errors="replace")) + 1
