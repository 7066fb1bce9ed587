"""The job store on the bucket in memory."""

from __future__ import annotations

import pytest

from gpujob.buckets.memory import MemoryBucket
from gpujob.testing.store_contract import StoreContract


class TestJobsInMemory(StoreContract):
    @pytest.fixture
    def bucket(self) -> MemoryBucket:
        return MemoryBucket()
