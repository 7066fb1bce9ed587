"""When a worker leaves by itself, and what it does not begin: on a queue in memory, with time by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.chance import Random
from gpujob.errors import JobFailed
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob_worker import EchoExecutor, Limits, Report, Worker


def queue() -> tuple[JobStore, ManualRuntime]:
    machine = TimeMachine(MemoryBucket(now=lambda: 1_750_000_000.0))
    clock = ManualRuntime(machine)
    return JobStore(machine, runtime=clock, rng=Random(1)), clock


def worker(store: JobStore, **limits: Any) -> Worker:
    return Worker(
        store, [EchoExecutor()], worker_id="w", limits=Limits(**limits), presence_every_s=None, sweep_every_s=None
    )


def echo(**more: Any) -> dict[str, Any]:
    return {"kind": "echo", "input": {"message": "m"}, **more}


def test_a_limited_life_ends_and_claims_nothing_that_it_could_not_finish() -> None:
    store, clock = queue()
    long = store.submit(echo(timeout="2h"))
    short = store.submit(echo(timeout="10m"))
    started_s = clock.elapsed()
    worker(store, max_lifetime_s=3600.0).run()
    assert (store.status(long.id).state, store.status(short.id).state) == ("queued", "succeeded")
    assert 3600.0 <= clock.elapsed() - started_s < 3700.0


def test_a_worker_for_certain_jobs_does_these_and_leaves() -> None:
    store, _ = queue()
    ids = [store.submit(echo()).id for _ in range(4)]
    assert worker(store, jobs=(ids[1], ids[3])).run().jobs == 2
    assert [store.status(one).state for one in ids] == ["queued", "succeeded", "queued", "succeeded"]


def test_a_worker_for_a_job_that_is_gone_leaves_at_once() -> None:
    store, _ = queue()
    job = store.submit(echo())
    store.cancel(job.id)
    assert worker(store, jobs=(job.id, "01h" + "0" * 23)).run().jobs == 0


def test_a_worker_for_a_job_takes_it_over_when_its_own_worker_has_vanished() -> None:
    store, _ = queue()
    job = store.submit(echo())
    held = store.poller("dies", serves_kind=lambda kind: True, serves=lambda manifest: True).next()
    assert held is not None
    assert worker(store, jobs=(job.id,)).run().jobs == 1
    assert store.status(job.id).state == "succeeded"


def test_models_are_loaded_before_the_first_job_and_one_that_fails_costs_nothing_else() -> None:
    class Loaded(EchoExecutor):
        loads: ClassVar[list[dict[str, Any]]] = []

        def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
            self.loads.append(dict(wanted))
            if not wanted:
                report(1, 2, "half")
                raise JobFailed("no such model", type="model_not_found")
            return ("a-model",)

    store, _ = queue()
    job = store.submit(echo())
    made = Worker(
        store, [Loaded()], worker_id="w", limits=Limits(once=True), preload=["echo"], presence_every_s=None,
        sweep_every_s=None,
    )  # fmt: skip
    assert made.run().jobs == 1
    assert store.status(job.id).state == "succeeded"
    assert [wanted == {} for wanted in Loaded.loads] == [True, False]
