"""The requests of one job without artifacts, by verb: submitted, run by a worker that leaves after it, and waited for.

Against the protocol's promise: 3 PUT, 3 GET or HEAD, 2 DELETE, and the LISTs of polling: one of pending/, one of
leased/. Presence (one PUT a minute) and beats (none in so short a job) come on top.
"""

from __future__ import annotations

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from gpujob.buckets.counting import CountingBucket
from gpujob.store import JobStore, open_store
from gpujob_worker import EchoExecutor, Limits, Worker

PROMISED = {"put": ("PUT", 3), "get": ("GET or HEAD", 3), "delete": ("DELETE", 2), "list": ("LIST", 2)}


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """One row for each class of requests on the bill."""
    opened = open_store(place.queue("requests"))
    counting = CountingBucket(opened.bucket)
    store = JobStore(counting, config=opened.config)
    job_id = store.submit(sample.spec()).id
    Worker(store, [EchoExecutor()], worker_id="bench", limits=Limits(once=True), presence_every_s=None).run()
    store.wait(job_id)
    billed = counting.billed()
    return [
        Row(f"requests for one job: {verb}", billed[name], "requests", "as designed", promised)
        for name, (verb, promised) in PROMISED.items()
    ]
