"""How fast worker processes empty a queue of echo jobs: from a common start to the end of the last job.

Against the bare requests of the same jobs by as many processes on the same server: the worker's six (GET, PUT, HEAD,
DELETE, PUT, DELETE) are what a drain sends; the whole eight, with the submitter's PUT and the waiter's GET, are shown
beside. The start of the processes and of their connections is in neither. The processor time is that of the clients,
not of the server. Work in vain because another worker was first is counted: refused PUTs, GETs of a job that was gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.fleet import gate, together
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import cpu_seconds, seconds_for_each
from gpujob import keys
from gpujob.buckets.opening import open_bucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.clock import SYSTEM
from gpujob.errors import PreconditionFailed
from gpujob.store import JobStore, open_store
from gpujob_worker import EchoExecutor, Limits, Worker

T = TypeVar("T")


class RaceWatch(WrappedBucket):
    """Counts what a worker did in vain because another one was first."""

    refused = 0  # PUTs of a lease that stood already
    gone = 0  # GETs of a job that was claimed meanwhile

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        try:
            answer = call()
        except PreconditionFailed:
            self.refused += verb == "create" and key.startswith(keys.LEASED)
            raise
        self.gone += answer is None and verb == "get" and key.startswith(keys.PENDING)
        return answer


@dataclass(frozen=True)
class Share:
    """What one worker process did."""

    jobs: int
    started_s: float
    ended_s: float
    refused: int
    gone: int
    cpu_s: float


@dataclass(frozen=True)
class RawShare:
    """How long one process took for each party's requests of its jobs, and the processor time of the worker's."""

    submit_s: float
    work_s: float
    wait_s: float
    cpu_s: float


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """Three rows for each number of processes: the raw jobs, the drain beside them, and the processor time of each."""
    rows: list[Row] = []
    for count, jobs in zip(sizes.fleets, sizes.jobs, strict=True):
        each = max(1, jobs // count)
        raw = together(count, send_raw, place.queue(f"raw-job-{count}"), each, env=place.env)
        work = count * each / max(share.work_s for share in raw)
        whole = count * each / sum(max(parts) for parts in zip(*map(_parts, raw), strict=True))
        rows.append(Row(f"raw job, {_processes(count)}", whole, "/s", detail=f"8 requests each, {count * each} jobs"))
        rows += _drain(place, count, jobs, work, sum(share.cpu_s for share in raw) / (count * each))
    return rows


def _drain(place: Place, count: int, jobs: int, raw: float, raw_cpu_s: float) -> list[Row]:
    url = place.queue(f"drain-{count}")
    store = open_store(url)
    for number in range(jobs):
        store.submit(sample.spec(number))
    shares = together(count, serve, url, env=place.env)
    done = sum(share.jobs for share in shares)
    assert done == jobs, f"{done} of {jobs} jobs were done"
    took_s = max(share.ended_s for share in shares) - min(share.started_s for share in shares)
    refused, gone = (sum(getattr(share, name) for share in shares) for name in ("refused", "gone"))
    detail = f"{jobs} jobs; lost to races: {refused} PUT, {gone} GET"
    cpu_ms, against = sum(share.cpu_s for share in shares) / jobs * 1000, "raw worker's 6 requests"
    return [
        Row(f"drain, {_processes(count)}", jobs / took_s, "/s", against, raw, detail),
        Row(f"drain, {_processes(count)}: CPU a job", cpu_ms, "ms", against, raw_cpu_s * 1000, "of the clients"),
    ]


def serve(number: int, url: str) -> Share:
    """A worker that serves until nothing is left; in a process of its own."""
    opened = open_store(url)
    watch = RaceWatch(opened.bucket)
    ends: list[float] = []
    worker = Worker(
        JobStore(watch, config=opened.config),
        [EchoExecutor()],
        worker_id=f"bench-{number}",
        limits=Limits(idle_exit_s=0.0),
        on_event=lambda event, job_id: ends.append(SYSTEM.elapsed()),
    )
    gate()
    started_s, cpu_s = SYSTEM.elapsed(), cpu_seconds()
    jobs = worker.run().jobs
    return Share(jobs, started_s, max(ends, default=started_s), watch.refused, watch.gone, cpu_seconds() - cpu_s)


def send_raw(number: int, url: str, count: int) -> RawShare:
    """The bare requests of `count` jobs, party by party; in a process of its own."""
    bucket = open_bucket(url)
    bucket.get(keys.QUEUE)  # the connection is up
    job, ids = sample.RawJob(), sample.ids(count)

    def work(job_id: str) -> None:
        job.claim(bucket, job_id)
        job.finish(bucket, job_id)

    took_s, cpu_s = [], []
    for party in (partial(job.submit, bucket), work, partial(job.wait, bucket)):
        gate()
        used_s = cpu_seconds()
        took_s.append(seconds_for_each(party, ids))
        cpu_s.append(cpu_seconds() - used_s)
    return RawShare(took_s[0], took_s[1], took_s[2], cpu_s[1])


def _parts(share: RawShare) -> tuple[float, float, float]:
    return share.submit_s, share.work_s, share.wait_s


def _processes(count: int) -> str:
    return f"{count} process" if count == 1 else f"{count} processes"
