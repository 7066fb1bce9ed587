"""What a claim costs, with few jobs waiting and with many: requests and milliseconds, LISTs included.

Against the bare GET, PUT, HEAD and DELETE of a claim on the same bucket, in turn with it. The LISTs are those that the
poller sends for so many claims in a row: a page serves claims for ten seconds. Ending the claimed job is not timed.
"""

from __future__ import annotations

from functools import partial
from statistics import mean

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.fleet import together
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import median_ms, seconds
from gpujob import keys
from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.opening import open_bucket
from gpujob.clock import SYSTEM
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.poll import Poller
from gpujob.protocol.results import ended
from gpujob.store import JobStore, open_store

FILLERS = 4


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """Two rows for each number of waiting jobs."""
    return [row for waiting in sizes.pending for row in _measure(place, waiting, sizes.claims)]


def _measure(place: Place, waiting: int, claims: int) -> list[Row]:
    url = place.queue(f"claim-{waiting}")
    together(FILLERS, fill, url, waiting // FILLERS, env=place.env)
    opened = open_store(url)
    counting = CountingBucket(opened.bucket)
    store = JobStore(counting, config=opened.config)
    poller = store.poller("bench", serves_kind=lambda kind: True, serves=lambda manifest: True)
    raw_job, raw_ids = sample.RawJob(), sample.ids(claims)
    requests = 0
    raw_s, ours_s = [], []
    for raw_id in raw_ids:
        raw_job.submit(opened.bucket, raw_id)
        raw_s.append(seconds(partial(raw_job.claim, opened.bucket, raw_id)))
        raw_job.finish(opened.bucket, raw_id)
        before = counting.snapshot()
        held, took_s = _claim(poller)
        requests += counting.since(before).total()
        ours_s.append(took_s)
        _end(poller, held)
    name = f"claim, {waiting:,} waiting"
    listed = f"mean {mean(ours_s) * 1000:.2f} ms with the LISTs; the first, which lists, {ours_s[0] * 1000:.1f} ms"
    return [
        Row(f"{name}: requests", requests / claims, "requests", "bare claim", 4.0, f"mean of {claims} claims"),
        Row(f"{name}: time", median_ms(ours_s), "ms", "raw GET+PUT+HEAD+DELETE", median_ms(raw_s), listed),
    ]


def _claim(poller: Poller) -> tuple[HeldLease, float]:
    started_s = SYSTEM.elapsed()
    held = poller.next()
    took_s = SYSTEM.elapsed() - started_s
    assert held is not None, "there was nothing to claim"
    return held, took_s


def _end(poller: Poller, held: HeldLease) -> None:
    assert settle(held, ended(held.record, "succeeded", now=held.ctx.store_now()))
    poller.again()


def fill(number: int, url: str, count: int) -> None:
    """Puts `count` jobs into the queue, without checking specs; in a process of its own."""
    bucket = open_bucket(url)
    for job_id in sample.ids(count):
        manifest = sample.manifest(job_id)
        bucket.create(keys.pending(manifest.priority, job_id, manifest.kind), manifest.body())
