"""Reads what `ffmpeg -progress` writes, and says how far it is.

Invariant: a share is within 0..1 and never falls. Format: blocks of `name=value` lines, each closed by a `progress=` line
(ffmpeg's manual, "-progress url"). How long the rest will take follows from the shares, as for every kind of job.
"""

from __future__ import annotations

import math


class ProgressReader:
    """Fed with bytes as they come; `share` and `at_s`, the moment in the result, are those of the last whole block."""

    def __init__(self, duration_s: float | None) -> None:
        self.share = 0.0
        self.at_s = 0.0
        self._duration_s = duration_s
        self._rest = b""
        self._block: dict[str, str] = {}

    def feed(self, data: bytes) -> bool:
        """Takes more bytes in; whether a block was completed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        completed = False
        for line in lines:
            name, _, value = line.decode(errors="replace").strip().partition("=")
            self._block[name] = value.strip()
            if name == "progress":
                self._complete()
                completed = True
        return completed

    def _complete(self) -> None:
        block, self._block = self._block, {}
        self.at_s = (_number(block.get("out_time_us", "")) or 0.0) / 1_000_000
        if block["progress"] == "end":
            self.share = 1.0
        elif self._duration_s:
            self.share = max(self.share, min(1.0, self.at_s / self._duration_s))


def _number(text: str) -> float | None:
    """The number, or None for what ffmpeg writes where it does not know: `N/A`, or the least number there is."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
