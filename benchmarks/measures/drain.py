"""How fast worker processes empty a queue of echo jobs: from a common start to the end of the last job.

Against the bare requests of as many jobs by the same processes on the same server, in turn with it: the worker's six
(GET, PUT, HEAD, DELETE, PUT, DELETE) are what a drain sends; the whole eight, with the submitter's PUT and the waiter's
GET, are shown beside. The start of the processes and of their connections is in neither. The processor time is that of
the clients, not of the server. Work in vain because another worker was first is counted: refused PUTs of a lease, and
GETs of a job that was gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.fleet import gate, together
from benchmarks.measures.races import RaceWatch
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import cpu_seconds, seconds_for_each
from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import open_bucket
from gpujob.clock import SYSTEM
from gpujob.store import JobStore, open_store
from gpujob_worker import EchoExecutor, Limits, Worker

AGAINST = "raw worker's 6 requests"


@dataclass(frozen=True)
class Turn:
    """What one process did in one round: the bare requests first, party by party, then a drain."""

    submit_s: float
    work_s: float
    wait_s: float
    work_cpu_s: float
    jobs: int
    started_s: float
    ended_s: float
    cpu_s: float
    refused: int
    gone: int


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """Three rows for each number of processes: the raw jobs, the drain beside them, and the processor time of each."""
    return [
        row
        for count, jobs in zip(sizes.fleets, sizes.jobs, strict=True)
        for row in _measure(place, count, jobs, sizes.drains)
    ]


def _measure(place: Place, count: int, jobs: int, rounds: int) -> list[Row]:
    urls = [place.queue(f"drain-{count}-{number}") for number in range(rounds)]
    for url in urls:
        store = open_store(url)
        for number in range(jobs):
            store.submit(sample.spec(number))
    each = jobs // count
    shares = together(count, take_turns, place.queue(f"raw-job-{count}"), urls, each, env=place.env)
    turns = list(zip(*shares, strict=True))  # by round
    for turn in turns:
        done = sum(share.jobs for share in turn)
        assert done == jobs, f"{done} of {jobs} jobs were done"
    return _rows(count, jobs, each * count, turns)


def _rows(count: int, jobs: int, raw_jobs: int, turns: Sequence[Sequence[Turn]]) -> list[Row]:
    fleet = f"{count} process" if count == 1 else f"{count} processes"
    whole = median(
        raw_jobs / sum(_slowest(turn, party) for party in ("submit_s", "work_s", "wait_s")) for turn in turns
    )
    work = median(raw_jobs / _slowest(turn, "work_s") for turn in turns)
    drained = median(jobs / (_slowest(turn, "ended_s") - min(share.started_s for share in turn)) for turn in turns)
    raw_cpu_s = _all(turns, "work_cpu_s") / (raw_jobs * len(turns))
    cpu_s = _all(turns, "cpu_s") / (jobs * len(turns))
    rounds = f"median of {len(turns)} rounds of {jobs}"
    lost = f"lost to races: {_all(turns, 'refused'):g} PUT, {_all(turns, 'gone'):g} GET for {jobs * len(turns)} jobs"
    return [
        Row(f"raw job, {fleet}", whole, "/s", detail=f"8 requests each; {rounds}"),
        Row(f"drain, {fleet}", drained, "/s", AGAINST, work, f"{rounds}; {lost}"),
        Row(f"drain, {fleet}: CPU a job", cpu_s * 1000, "ms", AGAINST, raw_cpu_s * 1000, "of the clients"),
    ]


def _slowest(turn: Sequence[Turn], figure: str) -> float:
    return max(float(getattr(share, figure)) for share in turn)


def _all(turns: Sequence[Sequence[Turn]], figure: str) -> float:
    return sum(float(getattr(share, figure)) for turn in turns for share in turn)


# -- in each process


def take_turns(number: int, raw_url: str, urls: list[str], each: int) -> list[Turn]:
    """The bare requests of `each` jobs, then a share of a queue, for each of the queues."""
    bucket = open_bucket(raw_url)
    bucket.get(keys.QUEUE)  # the connection is up
    hands = [Hand(number, url) for url in urls]
    return [hand.turn(bucket, sample.ids(each)) for hand in hands]


class Hand:
    """One worker on one queue, ready to start."""

    def __init__(self, number: int, url: str) -> None:
        opened = open_store(url)
        self.watch = RaceWatch(opened.bucket)
        self.ended_s = 0.0
        self.worker = Worker(
            JobStore(self.watch, config=opened.config),
            [EchoExecutor()],
            worker_id=f"bench-{number}",
            limits=Limits(idle_exit_s=0.0),
            on_event=self._heard,
        )

    def _heard(self, event: str, job_id: str) -> None:
        self.ended_s = SYSTEM.elapsed()

    def turn(self, bucket: Bucket, ids: list[str]) -> Turn:
        """One round of this process."""
        submit_s, work_s, wait_s, work_cpu_s = _send_raw(bucket, ids)
        gate()
        used_s, started_s = cpu_seconds(), SYSTEM.elapsed()
        self.ended_s = started_s
        jobs = self.worker.run().jobs
        cpu_s = cpu_seconds() - used_s
        found = (jobs, started_s, self.ended_s, cpu_s, self.watch.refused, self.watch.gone)
        return Turn(submit_s, work_s, wait_s, work_cpu_s, *found)


def _send_raw(bucket: Bucket, ids: list[str]) -> tuple[float, float, float, float]:
    """The seconds of each party's requests, and the processor time of the worker's."""
    job = sample.RawJob()

    def work(job_id: str) -> None:
        job.claim(bucket, job_id)
        job.finish(bucket, job_id)

    gate()
    submit_s = seconds_for_each(partial(job.submit, bucket), ids)
    gate()
    used_s = cpu_seconds()
    work_s = seconds_for_each(work, ids)
    work_cpu_s = cpu_seconds() - used_s
    gate()
    wait_s = seconds_for_each(partial(job.wait, bucket), ids)
    return submit_s, work_s, wait_s, work_cpu_s
