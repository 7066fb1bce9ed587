"""Pick-up latency: from submit's return to the job's start, and to the moment when the waiter knows of its end.

Against the least it could take: the raw requests in between. On the store, in real time, for a worker whose last job
ended within the last second and for one that has been idle for a while; several queues side by side, each with a worker
and a waiter of its own. For a worker that has been idle for ten minutes in simulated time, which is the same on every
store, since nearly all of it is the pause between two LISTs.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import in_turn
from benchmarks.virtual_time import VirtualTime
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.opening import open_bucket
from gpujob.clock import Runtime
from gpujob.store import JobStore, open_store
from gpujob_worker import EchoExecutor, Worker

LONG_IDLE_S = 600.0
SPREAD_S = 30.0  # the longest pause between two polls: a try begins at any point of it
RAW_ROUNDS = 20


@dataclass
class Latencies:
    """Seconds from submit's return, one of each for every try."""

    start: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)


class Lane:
    """One queue with a worker that runs in a thread, and one client that submits and waits."""

    def __init__(self, client: JobStore, served: JobStore, seed: int) -> None:
        self.client = client
        self.runtime: Runtime = client.runtime
        self.rng = random.Random(seed)
        self.starts: dict[str, float] = {}
        self.worker = Worker(served, [EchoExecutor()], worker_id="bench", on_event=self._heard)
        self.task = self.runtime.spawn("worker", self._serve)

    def _serve(self) -> None:
        self.worker.run()

    def _heard(self, event: str, job_id: str) -> None:
        if event == "claimed":
            self.starts[job_id] = self.runtime.elapsed()

    def tries(self, count: int, pause_s: Callable[[], float]) -> Latencies:
        """`count` jobs, each submitted `pause_s()` after the end of the one before was known."""
        self.client.wait(self.client.submit(sample.spec()).id)
        found = Latencies()
        for _ in range(count):
            self.runtime.sleep(pause_s())
            job_id = self.client.submit(sample.spec()).id
            submitted_s = self.runtime.elapsed()
            self.client.wait(job_id)
            found.known.append(self.runtime.elapsed() - submitted_s)
            found.start.append(self.starts[job_id] - submitted_s)
        return found

    def close(self) -> None:
        """Ends the worker."""
        self.worker.drain()
        self.task.join(60.0)


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """Two rows for each state of the worker."""
    raw_ms = _raw_ms(open_bucket(place.queue("pickup-raw")))
    lanes = [_lane(place, number) for number in range(sizes.lanes)]
    try:
        busy = _side_by_side(lanes, sizes.tries, lambda lane: lane.rng.random())
        idle = _side_by_side(lanes, 1, lambda lane: sizes.idle_s * (1 + lane.rng.random() / 2))
    finally:
        for lane in lanes:
            lane.close()
    idle_for = f"idle {sizes.idle_s:g} to {sizes.idle_s * 1.5:g} s"
    return [
        *_rows("just after a job", busy, raw_ms),
        *_rows(idle_for, idle, raw_ms),
        *_rows("idle 10 min, simulated", after_long_idleness(sizes.long_idle_tries), None),
    ]


def _lane(place: Place, number: int) -> Lane:
    url = place.queue(f"pickup-{number}")
    return Lane(open_store(url), open_store(url), number)


def _side_by_side(lanes: list[Lane], tries: int, pause_s: Callable[[Lane], float]) -> Latencies:
    with ThreadPoolExecutor(len(lanes)) as pool:
        shares = list(pool.map(lambda lane: lane.tries(tries, lambda: pause_s(lane)), lanes))
    return Latencies([s for share in shares for s in share.start], [s for share in shares for s in share.known])


def after_long_idleness(tries: int) -> Latencies:
    """The same with a worker that has been idle for at least ten minutes each time, in simulated time."""
    runtime = VirtualTime()
    store = JobStore(MemoryBucket(now=runtime.now), runtime=runtime, rng=random.Random(1))
    lane = Lane(store, store, 1)
    found = lane.tries(tries, lambda: LONG_IDLE_S + lane.rng.random() * SPREAD_S)
    lane.close()
    return found


def _raw_ms(bucket: Bucket) -> tuple[float, float]:
    """The median milliseconds of LIST and a bare claim, and of these with the bare ending and a GET."""
    job, ids = sample.RawJob(), sample.ids(RAW_ROUNDS)
    for job_id in ids:
        job.submit(bucket, job_id)

    def start(number: int) -> None:
        bucket.list("pending/")
        job.claim(bucket, ids[number])

    def end(number: int) -> None:
        job.finish(bucket, ids[number])
        job.wait(bucket, ids[number])

    start_s, end_s = (median(found) for found in in_turn(RAW_ROUNDS, start, end))
    return start_s * 1000, (start_s + end_s) * 1000


def _rows(when: str, found: Latencies, raw_ms: tuple[float, float] | None) -> list[Row]:
    to_start, to_known = raw_ms or (None, None)
    requests = ("raw LIST+claim", "raw LIST+claim+end+GET") if raw_ms else ("", "")
    return [
        _row(f"pick-up, {when}: start", found.start, requests[0], to_start),
        _row(f"pick-up, {when}: known", found.known, requests[1], to_known),
    ]


def _row(what: str, found: list[float], against: str, raw_ms: float | None) -> Row:
    detail = f"median of {len(found)} tries; worst {max(found) * 1000:.0f} ms"
    return Row(what, median(found) * 1000, "ms", against, raw_ms, detail)
