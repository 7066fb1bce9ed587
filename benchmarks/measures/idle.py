"""What an idle worker's hour costs in requests, in simulated time: polling, presence and sweeps of an empty queue.

Against the LISTs of a worker that polls once a second, which is what backing off saves. The same on every store.
"""

from __future__ import annotations

import random

from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.virtual_time import VirtualTime
from gpujob.buckets.counting import CountingBucket, Counts
from gpujob.buckets.memory import MemoryBucket
from gpujob.store import JobStore
from gpujob_worker import EchoExecutor, Worker

HOUR_S = 3600.0


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """One row for LISTs, one for the others."""
    counts = idle_hour(seed=1)
    lists = sum(number for (verb, _), number in counts.items() if verb == "list")
    of_pending = counts["list", "pending"]
    others = counts.total() - lists
    named = ", ".join(
        f"{number} {verb} {prefix}/" for (verb, prefix), number in sorted(counts.items()) if verb != "list"
    )
    detail = f"{of_pending} of pending/, {counts['list', 'leased']} of leased/, {counts['list', 'done']} of done/"
    return [
        Row("idle worker's hour: LIST", lists, "requests", "one poll a second", HOUR_S, detail),
        Row("idle worker's hour: others", others, "requests", detail=named),
    ]


def idle_hour(seed: int) -> Counts:
    """The requests of a worker with nothing to do, from its start to an hour later."""
    runtime = VirtualTime()
    counting = CountingBucket(MemoryBucket(now=runtime.now))
    store = JobStore(counting, runtime=runtime, rng=random.Random(seed))
    worker = Worker(store, [EchoExecutor()], worker_id="bench")

    def serve() -> None:
        worker.run()

    task = runtime.spawn("worker", serve)
    runtime.sleep(HOUR_S)
    counts = counting.snapshot()
    worker.drain()
    task.join()
    return counts
