"""The submit rate of one client: spec checked, manifest made, one PUT if absent.

Against the raw rate of that PUT with a body of the same size, in alternating rounds on the same queue's bucket.
"""

from __future__ import annotations

from benchmarks import sample
from benchmarks.figures import Row
from benchmarks.places import Place
from benchmarks.sizes import Sizes
from benchmarks.stopwatch import in_turn, rate
from gpujob.store import open_store


def measure(place: Place, sizes: Sizes) -> list[Row]:
    """One row."""
    store = open_store(place.queue("submit"))
    bare = store.bucket
    raw_job = sample.RawJob()
    ids = [sample.ids(sizes.submits) for _ in range(sizes.rounds + 1)]
    store.submit(sample.spec())  # the first one loads the models of specs
    raw_job.submit(bare, ids.pop()[0])

    def raw(number: int) -> None:
        for job_id in ids[number]:
            bare.create(f"raw/{job_id}", raw_job.pending)

    def ours(number: int) -> None:
        for each in range(sizes.submits):
            store.submit(sample.spec(each))

    raw_s, ours_s = in_turn(sizes.rounds, raw, ours)
    detail = f"median of {sizes.rounds} rounds of {sizes.submits}"
    return [
        Row("submit", rate(sizes.submits, ours_s), "/s", "raw PUT if absent", rate(sizes.submits, raw_s), detail),
    ]
