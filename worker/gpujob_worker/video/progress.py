"""Reads what `ffmpeg -progress` writes, and says how far it is and how long it will take.

Invariant: a share is within 0..1 and never falls. Format: blocks of `name=value` lines, each closed by a `progress=` line
(ffmpeg's manual, "-progress url").
"""

from __future__ import annotations

import math


class ProgressReader:
    """Fed with bytes as they come; `share` and `left_s` are those of the last whole block."""

    def __init__(self, duration_s: float | None) -> None:
        self.share = 0.0
        self.left_s: float | None = None
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

    def __str__(self) -> str:
        """Such as `41 %, 0:12 left`."""
        left = "" if self.left_s is None else f", {shown(self.left_s)} left"
        return f"{math.floor(self.share * 100)} %{left}"

    def _complete(self) -> None:
        block, self._block = self._block, {}
        if block["progress"] == "end":
            self.share, self.left_s = 1.0, 0.0
            return
        at_s = _number(block.get("out_time_us", ""))
        if at_s is None or not self._duration_s:
            return
        at_s /= 1_000_000
        self.share = max(self.share, min(1.0, max(0.0, at_s / self._duration_s)))
        speed = _number(block.get("speed", "").removesuffix("x"))
        self.left_s = max(0.0, self._duration_s - at_s) / speed if speed else None


def shown(seconds: float) -> str:
    """`0:12`, `3:05`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"


def _number(text: str) -> float | None:
    """The number, or None for what ffmpeg writes where it does not know: `N/A`, or the least number there is."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > -1e15 else None
