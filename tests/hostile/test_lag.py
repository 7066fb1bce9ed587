"""Listings that lag: a store may show for seconds what is gone, and hide what is there. Nobody may run in circles."""

from __future__ import annotations

from bisect import insort

from gpujob import JobStore, MemoryBucket, QueueConfig
from gpujob.buckets.base import PAGE, Entry, Listing
from gpujob.buckets.counting import CountingBucket
from gpujob.chance import Random
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker

LAG_S = 5.0


class LaggingBucket(MemoryBucket):
    """Lists what was there `LAG_S` ago by the clock that `follow` names."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = lambda: 0.0
        self._past: list[tuple[float, int, dict[str, Entry]]] = []

    def _remember(self) -> None:
        snapshot = {key: found.entry for key, found in self._objects.items()}
        insort(self._past, (self.elapsed(), len(self._past), snapshot))

    def create(self, key: str, body: bytes) -> str:
        version = super().create(key, body)
        self._remember()
        return version

    def replace(self, key: str, body: bytes, version: str) -> str:
        fresh = super().replace(key, body, version)
        self._remember()
        return fresh

    def delete(self, key: str) -> None:
        super().delete(key)
        self._remember()

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        then = self.elapsed() - LAG_S
        seen = next((entries for at, _, entries in reversed(self._past) if at <= then), {})
        found = [seen[key] for key in sorted(seen) if key.startswith(prefix) and key > after]
        return Listing(tuple(found[:limit]), len(found) > limit, self._now())


def test_a_listing_full_of_what_is_gone_is_not_read_again_without_a_pause() -> None:
    """A worker that had drained a queue listed it again and again, as fast as it could, until the store caught up."""
    lagging = LaggingBucket()
    counting = CountingBucket(lagging)
    machine = TimeMachine(counting)
    clock = ManualRuntime(machine)
    lagging.elapsed = clock.elapsed
    store = JobStore(machine, config=QueueConfig(), runtime=clock, rng=Random(9))
    ids = [store.submit({"kind": "echo", "input": {"message": "hi"}}).id for _ in range(20)]
    clock.sleep(LAG_S)
    limits = Limits(idle_exit_s=30.0)
    Worker(store, [EchoExecutor()], worker_id="w", limits=limits, presence_every_s=None, sweep_every_s=None).run()
    assert [store.wait(job_id).state for job_id in ids] == ["succeeded"] * len(ids)
    assert counting.counts["list"] <= 25
    assert counting.counts["get"] <= 4 * len(ids)
