"""What a soak cost, in requests, and the most that the design allows.

Invariant: the allowance is a constant for each job and attempt plus a constant for each worker-hour, and nothing else;
docs/protocol.md says where the constants of one job come from.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

# One job: the submitter's PUT, the lease, the result; the worker's GET and HEAD.
PUTS_A_JOB = 3.0
GETS_A_JOB = 2.0
DELETES_A_JOB = 2.0
# Somebody else was quicker: a GET of a manifest that is gone, or a PUT of a lease that is there and a GET of it.
MISSED_PUTS_A_JOB = 0.25
MISSED_GETS_A_JOB = 2.0  # with deaths and sweeps 0.3 among a hundred workers, 2.3 among a thousand
MISSED_DELETES_A_JOB = 0.75
LISTS_A_JOB = 1.5  # a page serves ten seconds, and the end of a job asks for a fresh one
# One death: the lease is read and taken over, and done/ is looked at once more.
PUTS_A_DEATH = 2.0
GETS_A_DEATH = 10.0  # of all that see an expired lease, each may look, a few at a time
# One hour of one worker: presence each minute; polling each 30 s, leases each ttl + margin, sweeps each ten minutes, of
# 20 requests at most and mostly of three LISTs.
PUTS_AN_HOUR = 62.0
LISTS_AN_HOUR = 300.0
GETS_AN_HOUR = 20.0


@dataclass(frozen=True)
class Amount:
    """What was done: jobs, deaths of workers, beats that were due, hours of workers."""

    jobs: int
    deaths: int
    beats: float
    worker_hours: float


def allowance(amount: Amount) -> dict[str, float]:
    """The most requests of each class."""
    jobs, deaths, hours = amount.jobs, amount.deaths, amount.worker_hours
    return {
        "put": jobs * (PUTS_A_JOB + MISSED_PUTS_A_JOB) + amount.beats + deaths * PUTS_A_DEATH + hours * PUTS_AN_HOUR,
        "get": jobs * (GETS_A_JOB + MISSED_GETS_A_JOB) + deaths * GETS_A_DEATH + hours * GETS_AN_HOUR,
        "list": jobs * LISTS_A_JOB + hours * LISTS_AN_HOUR,
        "delete": jobs * (DELETES_A_JOB + MISSED_DELETES_A_JOB) + deaths,
    }


def least(amount: Amount) -> dict[str, float]:
    """The fewest that so many jobs can do with: a bill below it was not counted right."""
    jobs = amount.jobs
    return {"put": jobs * PUTS_A_JOB, "get": jobs * GETS_A_JOB, "list": 1.0, "delete": jobs * DELETES_A_JOB}


def table(bill: Counter[str], amount: Amount) -> str:
    """The bill as lines: each class, its sum, for each job, and the most that is allowed."""
    most = allowance(amount)
    lines = [
        f"{verb:6} {bill[verb]:>9,}  {bill[verb] / amount.jobs:6.2f} a job  {most[verb]:>11,.0f} allowed"
        for verb in ("put", "get", "list", "delete")
    ]
    return "\n".join(lines)
