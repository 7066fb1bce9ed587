"""A job's log: numbered chunks under the attempt's prefix, each put once, at most one a beat.

Best effort: a store that refuses a chunk costs lines of the log, never the job.
"""

from __future__ import annotations

import logging

from gpujob import keys
from gpujob.errors import GpujobError
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.writes import create

log = logging.getLogger("gpujob.worker")

MAX_CHUNK_BYTES = 256 * 1024
MAX_CHUNKS = 1000


class LogUploader:
    """Collects an attempt's log lines and puts them into the bucket now and then."""

    def __init__(self, held: HeldLease) -> None:
        self.chunks = 0
        self._held = held
        self._runtime = held.ctx.runtime
        self._buffer: list[str] = []
        self._size_bytes = 0
        self._flushed_s = self._runtime.elapsed()

    def line(self, text: str) -> None:
        """Adds a line; what exceeds the limits of one chunk a beat is cut, and says so."""
        size_bytes = len(text.encode(errors="replace")) + 1
        if self._size_bytes + size_bytes > MAX_CHUNK_BYTES:
            if self._buffer and self._buffer[-1] != "[...]":
                self._buffer.append("[...]")
        else:
            self._buffer.append(text)
            self._size_bytes += size_bytes
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Puts a chunk if a beat has passed since the last one."""
        if self._runtime.elapsed() - self._flushed_s >= self._held.record.beat_s:
            self.flush()

    def flush(self) -> None:
        """Puts what has been collected."""
        self._flushed_s = self._runtime.elapsed()
        if not self._buffer or self.chunks >= MAX_CHUNKS:
            return
        body = ("\n".join(self._buffer) + "\n").encode(errors="replace")
        self._buffer, self._size_bytes = [], 0
        try:
            create(self._held.ctx.bucket, keys.log_chunk(self._held.prefix, self.chunks), body)
            self.chunks += 1
        except GpujobError as error:
            log.warning("a part of the log of %s was not stored: %s", self._held.id, error)
