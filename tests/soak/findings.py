"""What must be true after a soak: nothing lost, nothing twice, nothing starved, nothing left lying about.

Invariant: every check reads the store itself or what the ledger saw written.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gpujob import keys
from gpujob.records import Result, decode
from tests.simulation.world import START_S
from tests.soak import bill
from tests.soak.fleet import Fleet

SLACK_S = 120.0  # polling of up to 30 s, a take-over of up to 45 s and one more, a new worker after up to 90 s


@dataclass(frozen=True)
class Findings:
    """The figures of a run."""

    amount: bill.Amount
    bill: Counter[str]
    hours: float
    attempts: Counter[int]
    longest_wait_s: float
    unexplained_wait_s: float

    def __str__(self) -> str:
        by_attempt = ", ".join(f"{count:,} in {n}" for n, count in sorted(self.attempts.items()))
        return (
            f"{self.amount.jobs:,} jobs in {self.hours:.1f} simulated hours, {self.amount.worker_hours:,.0f} worker-hours, "
            f"{self.amount.deaths:,} deaths; jobs by attempts: {by_attempt}; longest wait {self.longest_wait_s:.0f} s, "
            f"{self.unexplained_wait_s:.0f} s more than the work before it explains\n{bill.table(self.bill, self.amount)}"
        )


def examine(fleet: Fleet) -> Findings:
    """Raises AssertionError where something is not as it must be; else the figures."""
    results = {key: decode(Result, key, body) for key, body in fleet.store.results.items()}
    assert set(results) == {keys.done(job_id) for job_id in fleet.submitted}, "a job was lost"
    wrong = [result.id for result in results.values() if result.state != "succeeded"]
    assert not wrong, f"{len(wrong)} jobs did not succeed: {wrong[:3]}"
    losses = sum(result.losses for result in results.values())
    assert losses <= fleet.counts.deaths, f"{losses} losses by {fleet.counts.deaths} deaths: a healthy worker lost one"
    for prefix in (keys.PENDING, keys.LEASED):
        assert fleet.store.list(prefix).entries == (), f"left under {prefix}"
    waits = {job_id: fleet.counts.first_start_s[job_id] - when for job_id, (when, _) in fleet.submitted.items()}
    return Findings(
        amount=bill.Amount(len(results), fleet.counts.deaths, fleet.counts.beats, fleet.counts.worker_s / 3600.0),
        bill=fleet.bill(),
        hours=(fleet.ended_s - START_S) / 3600.0,
        attempts=Counter(result.attempt for result in results.values()),
        longest_wait_s=max(waits.values()),
        unexplained_wait_s=max(waits[job_id] - explained for job_id, explained in _explained(fleet).items()),
    )


def _explained(fleet: Fleet) -> dict[str, float]:
    """For each job, the wait that a fleet which is never idle needs: the work that was there before it, shared by all."""
    rows = sorted((when, seconds, job_id) for job_id, (when, seconds) in fleet.submitted.items())
    explained: dict[str, float] = {}
    work_s, then = 0.0, START_S
    for when, seconds, job_id in rows:
        work_s = max(0.0, work_s - (when - then) * fleet.plan.workers)
        explained[job_id] = work_s / fleet.plan.workers
        work_s, then = work_s + seconds, when
    return explained


def check_bill(found: Findings) -> None:
    """Raises AssertionError where the bill is not a constant a job plus a constant a worker-hour."""
    most, fewest = bill.allowance(found.amount), bill.least(found.amount)
    for verb, count in found.bill.items():
        assert fewest[verb] <= count <= most[verb], f"{count} {verb}, not {fewest[verb]:.0f} to {most[verb]:.0f}"
