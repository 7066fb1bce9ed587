"""A full disk: of the worker, which is no fault of its engine, and of a folder store, which no worker dies of."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.errors import LocalDisk
from gpujob.records import QueueConfig
from gpujob.redaction import Redactor
from gpujob_worker import EchoExecutor, Limits, Worker
from gpujob_worker.job_errors import job_error

T = TypeVar("T")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_of_the_worker_is_not_blamed_on_the_engine(number: int) -> None:
    told = job_error(OSError(number, "no room"), 2, Redactor({}))
    assert (told.type, told.retryable, told.attempt, told.traceback) == ("storage", True, 2, None)
    assert told.message.startswith("the worker's disk is full")
    assert job_error(OSError(errno.EIO, "broken"), 1, Redactor({})).type == "engine"


class FullNowAndThen(WrappedBucket):
    """A store that takes neither the first lease nor the first result."""

    def __init__(self, inner: MemoryBucket) -> None:
        super().__init__(inner)
        self.refused: list[str] = []

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        prefix = key.partition("/")[0] + "/"
        if verb == "create" and prefix in (keys.LEASED, keys.DONE) and prefix not in self.refused:
            self.refused.append(prefix)
            raise LocalDisk(f"cannot write {key}: the disk is full")
        return call()


def test_a_worker_outlives_a_store_that_is_full_when_it_claims_and_when_it_commits() -> None:
    bucket = FullNowAndThen(MemoryBucket())
    store = JobStore(bucket, config=QueueConfig(created_at=1.0, ttl_s=3.0, beat_s=1.0))
    job_id = store.submit({"kind": "echo", "input": {"message": "m"}}).id
    worker = Worker(store, [EchoExecutor()], worker_id="w", limits=Limits(max_jobs=2))
    worker.run()
    result = store.result(job_id)
    assert result is not None and (result.state, result.attempt, result.losses) == ("succeeded", 2, 1)
    assert dict(worker.summary.endings) == {"dropped": 1, "succeeded": 1}
    assert bucket.refused == [keys.LEASED, keys.DONE]
