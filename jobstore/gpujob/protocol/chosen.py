"""Finding certain jobs and no others: for a machine that was asked to do those that nobody else does.

Invariant: they are claimed and taken over by the very rules that hold for every worker.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpujob import keys
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol.claim import Claimer
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.status import status

PAUSE_S = 2.0


class Chosen:
    """Finds jobs for one worker among those with these ids; stands in for a `Poller`."""

    def __init__(self, claimer: Claimer, ids: Sequence[str]) -> None:
        self.claimer = claimer
        self._left = list(dict.fromkeys(ids))
        self._pause_s = 0.0

    @property
    def finished(self) -> bool:
        """Whether all of them have ended or are nowhere."""
        return not self._left

    def next(self) -> HeldLease | None:
        """One job to run, if one can be had now; errors of the bucket pass through."""
        for job_id in list(self._left):
            try:
                found = status(self.claimer.ctx, job_id)
            except (CorruptRecord, WrongProtocol) as error:
                self.claimer.ctx.skips.note(error)
                found = None
            if found is None or found.ended:
                self._left.remove(job_id)
                continue
            waiting = found.pending
            if waiting is not None and found.lease is None:
                got = self.claimer.claim(keys.pending(waiting.priority, job_id, waiting.kind))
            else:
                got = self.claimer.take(job_id)
            if isinstance(got, HeldLease):
                return got
        self._pause_s = PAUSE_S
        return None

    def again(self) -> None:
        """A job has ended: look at once."""
        self._pause_s = 0.0

    def peek(self) -> str:
        """Which comes next is not known."""
        return ""

    def wait_s(self) -> float:
        """Seconds until it is worth looking again."""
        return self._pause_s
