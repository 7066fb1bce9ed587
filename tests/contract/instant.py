"""A runtime whose sleep takes no time: its clock moves on instead."""

from __future__ import annotations

from gpujob.clock import SystemRuntime


class InstantRuntime(SystemRuntime):
    """`naps` are the seconds of each sleep; `elapsed` and `now` count nothing else."""

    def __init__(self) -> None:
        self.naps: list[float] = []

    def now(self) -> float:
        return 1_800_000_000.0 + sum(self.naps)

    def elapsed(self) -> float:
        return 1000.0 + sum(self.naps)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
