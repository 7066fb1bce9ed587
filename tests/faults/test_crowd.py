"""The crowd of the chaos runs, on a good store: everybody gets through, and whoever is told something else is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import JobStore
from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SYSTEM
from gpujob.errors import InvalidSpec
from gpujob_worker import EchoExecutor, Limits, Worker
from tests.faults.crowd import Crowd

JOBS = 6


def spec(number: int) -> dict[str, object]:
    return {"kind": "echo", "input": {"message": number, "artifacts": [{"name": "a.bin", "bytes": 10}]}}


def test_everybody_gets_through_and_a_false_answer_is_noticed(tmp_path: Path) -> None:
    store = JobStore(MemoryBucket())
    crowd = Crowd(store, tmp_path, submitters=2, waiters=3)
    crowd.begin([spec(number) for number in range(JOBS)])
    worker = Worker(store, [EchoExecutor()], worker_id="w", limits=Limits(max_jobs=JOBS))
    task = SYSTEM.spawn("worker", lambda: worker.run() and None)
    ids = crowd.end()
    task.join(60.0)
    assert [crowd.told[job_id].output["message"] for job_id in ids] == list(range(JOBS))
    assert all((tmp_path / job_id / "a.bin").stat().st_size == 10 for job_id in ids)
    crowd.hold_against(store)
    crowd.told[ids[0]] = crowd.told[ids[0]].model_copy(update={"state": "failed"})
    with pytest.raises(AssertionError, match=f"the waiter of {ids[0]} was told another result"):
        crowd.hold_against(store)


def test_what_one_of_them_meets_is_raised(tmp_path: Path) -> None:
    crowd = Crowd(JobStore(MemoryBucket()), tmp_path, submitters=1, waiters=1)
    crowd.begin([{"kind": "none such", "input": {}}])
    with pytest.raises(InvalidSpec, match="problem in the spec"):
        crowd.end()
