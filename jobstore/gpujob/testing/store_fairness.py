"""Fairness and the bill: which job comes next, and what that costs, however many there are."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.counting import CountingBucket
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.poll import FEW, PAGE_LIFE_S, Poller
from gpujob.records import Manifest, QueueConfig
from gpujob.store import JobStore
from gpujob.testing.store_setting import (
    TTL_S,
    ManualRuntime,
    StoreSetting,
    TimeMachine,
    claim,
    echo,
    finish,
    poller,
)

FILLERS = 8
LONG = QueueConfig(ttl_s=600.0, beat_s=10.0)  # a lease that nobody beats for outlasts a slow machine's race
MANY = 10_000  # jobs that only a fast store is asked to hold; there, threads would be in each other's way


class FairnessContract(StoreSetting):
    """Order, and requests."""

    def test_higher_priorities_come_first(self, store: JobStore) -> None:
        for priority in ("low", "normal", "high", "low", "high", "normal"):
            store.submit(echo(priority, priority=priority))
        finder = poller(store)
        order = [_next(finder).manifest.priority for _ in range(6)]
        assert order == ["high", "high", "normal", "normal", "low", "low"]

    def test_within_a_level_the_oldest_come_first_roughly(self, store: JobStore, clock: ManualRuntime) -> None:
        ids = []
        for number in range(40):
            ids.append(store.submit(echo(str(number))).id)
            clock.sleep(0.01)
        finder = poller(store)
        order = [_next(finder).id for _ in ids]
        assert sorted(order) == ids
        assert max(ids.index(job_id) - place for place, job_id in enumerate(order)) < FEW

    def test_a_high_job_does_not_wait_for_a_long_page(self, store: JobStore, clock: ManualRuntime) -> None:
        for number in range(30):
            store.submit(echo(str(number), priority="low"))
        finder = poller(store)
        _next(finder)
        high = store.submit(echo("urgent", priority="high"))
        clock.sleep(PAGE_LIFE_S)
        assert _next(finder).id == high.id

    def test_take_overs_come_before_anything_pending(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo("lost"))
        lost = claim(store, "dead")
        store.submit(echo("new", priority="high"))
        clock.sleep(TTL_S + 1)
        assert claim(store, "heir").id == lost.id

    def test_a_backlog_of_others_hides_no_job(self, store: JobStore, clock: ManualRuntime) -> None:
        _fill(store, self.backlog, kind="chat.ollama")
        store.submit(echo("behind them all"))
        finder = poller(store)
        held = None
        while held is None:
            assert clock.elapsed() < 30, "the backlog hides the job"
            clock.sleep(finder.wait_s())
            held = finder.next()
        assert held.manifest.spec["input"]["message"] == "behind them all"

    def test_a_job_has_its_price(self, bucket: Bucket) -> None:
        """3 PUT, 3 GET or HEAD, 2 DELETE, the waiter's last GET among them; and the polling's two LISTs."""
        counting = CountingBucket(bucket)
        machine = TimeMachine(counting)
        store = JobStore(machine, runtime=ManualRuntime(machine), rng=Random(3))
        before = counting.snapshot()
        job = store.submit(echo())
        finish(claim(store))
        assert store.result(job.id) is not None
        assert dict(counting.billed(before)) == {"put": 3, "get": 3, "delete": 2, "list": 2}

    def test_many_pending_jobs_do_not_make_a_claim_dearer(self, bucket: Bucket) -> None:
        if not self.many_pending:
            pytest.skip("this store is too slow to fill with so many jobs")
        counting = CountingBucket(bucket)
        machine = TimeMachine(counting)
        store = JobStore(machine, runtime=ManualRuntime(machine), rng=Random(4))
        _fill(store, 100)
        with_few = _price_of_ten_jobs(store, counting)
        _fill(store, self.many_pending)
        assert _price_of_ten_jobs(store, counting) == with_few

    def test_an_idle_worker_costs_little(self, bucket: Bucket, record_property: Callable[[str, object], None]) -> None:
        counting = CountingBucket(bucket)
        machine = TimeMachine(counting)
        clock = ManualRuntime(machine)
        store = JobStore(machine, runtime=clock, rng=Random(5))
        finder = poller(store)
        before = counting.snapshot()
        while clock.elapsed() < 3600:
            assert finder.next() is None
            clock.sleep(max(0.01, finder.wait_s()))
        bill = counting.billed(before)
        record_property("an idle worker's hour", dict(bill))
        assert set(bill) == {"list"}
        assert 150 <= bill["list"] <= 280

    def test_many_claimers_claim_each_job_once(self, bucket: Bucket) -> None:
        store = JobStore(bucket, config=LONG, rng=Random(6))
        _fill(store, self.claimed_jobs)
        claimed: list[HeldLease] = []
        barrier = threading.Barrier(self.claimers)
        threads = [
            SYSTEM.spawn(f"claimer {number}", lambda n=number: _claim_all(bucket, n, barrier, claimed))  # type: ignore[misc]
            for number in range(self.claimers)
        ]
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        times = Counter(held.id for held in claimed)
        assert len(times) == self.claimed_jobs
        assert set(times.values()) == {1}


def _claim_all(bucket: Bucket, number: int, barrier: threading.Barrier, claimed: list[HeldLease]) -> None:
    finder = poller(JobStore(bucket, config=LONG, rng=Random(100 + number)), f"w{number}")
    barrier.wait()
    while (held := finder.next()) is not None or finder.wait_s() == 0:
        if held is not None:
            held.close()  # the lease stands: nobody else may have the job
            claimed.append(held)


def _next(finder: Poller) -> HeldLease:
    held = finder.next()
    assert held is not None
    return held


def _price_of_ten_jobs(store: JobStore, counting: CountingBucket) -> Counter[str]:
    before = counting.snapshot()
    finder = poller(store)
    for _ in range(10):
        finish(_next(finder))
    return counting.billed(before)


def _fill(store: JobStore, jobs: int, kind: str = "echo") -> None:
    """Puts many jobs into the bucket, past the parsing of specs."""
    first = Manifest(
        id=store.new_id(),
        kind=kind,
        spec={"input": {}},
        spec_sha256="0" * 64,
        created_at=store.runtime.now(),
        nonce=store.context.nonce(),
    )
    body = first.body()

    def put(job_id: str) -> None:
        store.bucket.create(keys.pending("normal", job_id, kind), body.replace(first.id.encode(), job_id.encode()))

    ids = [store.new_id() for _ in range(jobs)]
    with ThreadPoolExecutor(1 if jobs > MANY else FILLERS) as pool:
        deque(pool.map(put, ids), maxlen=0)
