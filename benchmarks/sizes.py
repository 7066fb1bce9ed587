"""How much is measured: enough for a steady figure in a full run, next to nothing in a quick one.

Invariant: a quick run takes every path of the full one that its store has, only shorter; it says so in its output.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """The numbers of one run."""

    quick: bool
    raw_requests: int  # of each verb
    rounds: int  # of raw and gpujob in turn
    submits: int  # in each round
    fleets: tuple[int, ...]  # numbers of processes
    jobs: tuple[int, ...]  # drained by each of those fleets in a round; one page of a LIST at most
    drains: int  # rounds of that
    pending: tuple[int, ...]  # jobs that wait while others are claimed
    claims: int
    lanes: int  # queues on which pick-up is tried side by side
    tries: int  # of picking up, on each lane, just after a job
    idle_s: float  # how long a worker has been idle before one more try on each lane
    long_idle_tries: int  # in simulated time
    starts: int  # of each program

    def __post_init__(self) -> None:
        assert len(self.fleets) == len(self.jobs)
        assert max(self.jobs) <= 1000, "a fleet leaves when its page is used up"


FULL = Sizes(
    quick=False,
    raw_requests=200,
    rounds=5,
    submits=40,
    fleets=(1, 4, 8),
    jobs=(30, 60, 60),
    drains=3,
    pending=(100, 10_000),
    claims=50,
    lanes=6,
    tries=3,
    idle_s=5.0,
    long_idle_tries=200,
    starts=5,
)

QUICK = Sizes(
    quick=True,
    raw_requests=10,
    rounds=2,
    submits=5,
    fleets=(1, 2),
    jobs=(4, 8),
    drains=1,
    pending=(6, 24),
    claims=4,
    lanes=2,
    tries=1,
    idle_s=0.5,
    long_idle_tries=10,
    starts=1,
)
