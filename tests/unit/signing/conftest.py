"""A queue in memory and in a folder, as its submitter, its worker and a hostile neighbour see it.

Invariant: the neighbour has all that a worker's credentials allow, and no key.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import JobStore
from gpujob.buckets.base import Bucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.signing.identity import NOBODY
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from tests.unit.signing.parties import Parties, queue


@pytest.fixture(scope="session")
def parties() -> Parties:
    return Parties()


@pytest.fixture(params=["memory", "folder"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    return MemoryBucket() if request.param == "memory" else FolderBucket(tmp_path / "queue")


@pytest.fixture
def alice(bucket: Bucket, parties: Parties) -> JobStore:
    """The queue as the submitter sees it."""
    return queue(bucket, parties.submitter)


@pytest.fixture
def gpu(bucket: Bucket, parties: Parties) -> JobStore:
    """The queue as the worker sees it."""
    return queue(bucket, parties.worker)


@pytest.fixture
def mallory(bucket: Bucket) -> JobStore:
    """The queue as a neighbour sees it."""
    return queue(bucket, NOBODY)


@pytest.fixture
def later(parties: Parties) -> tuple[TimeMachine, ManualRuntime, JobStore, JobStore]:
    """A queue whose clock a test moves: its bucket, the clock, and the submitter's and the worker's view."""
    machine = TimeMachine(MemoryBucket())
    clock = ManualRuntime(machine)
    return (
        machine,
        clock,
        queue(machine, parties.submitter, runtime=clock),
        queue(machine, parties.worker, runtime=clock),
    )
