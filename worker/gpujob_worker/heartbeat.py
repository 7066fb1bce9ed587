"""A line now and then that says how a worker is: for whoever looks on, and for what ends a program that falls silent.

Google's own Colab command line is such a program; it gives up on a cell that prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from gpujob.clock import Runtime
from gpujob.specs.quantities import format_duration


class Heartbeat:
    """Hears a worker's events and says every so often what it is at. `say` gets the sentence."""

    def __init__(self, runtime: Runtime, say: Callable[[str], None]) -> None:
        self._runtime = runtime
        self._say = say
        self._job = ""
        self._jobs_done = 0
        self._since_s = runtime.elapsed()
        self._gone = runtime.event()

    def hear(self, event: str, job_id: str) -> None:
        """An event of the worker: `claimed`, or how an attempt ended."""
        claimed = event == "claimed"
        self._jobs_done += not claimed
        if claimed or self._job == job_id:  # the end of the job before, whose files went up, changes nothing else
            self._job = job_id if claimed else ""
            self._since_s = self._runtime.elapsed()

    def sentence(self) -> str:
        """How things stand."""
        spent = format_duration(float(int(self._runtime.elapsed() - self._since_s)))
        done = f"{self._jobs_done} {'job' if self._jobs_done == 1 else 'jobs'} done"
        return f"serving: {f'{self._job} for {spent}' if self._job else f'idle for {spent}'}, {done}"

    def start(self, every_s: float) -> None:
        """Speaks every `every_s` seconds from now on, in a thread of its own."""
        self._runtime.spawn("heartbeat", lambda: self._speak(every_s))

    def stop(self) -> None:
        """Is silent from now on."""
        self._gone.set()

    def _speak(self, every_s: float) -> None:
        while not self._gone.wait(every_s):
            self._say(self.sentence())
