"""The contract that a job store keeps on every bucket: subclass it for a backend, and pytest runs all of it.

    class TestJobsOnMyBucket(StoreContract):
        @pytest.fixture
        def bucket(self) -> MyBucket: ...     # empty, fresh for each test

Invariant: no test waits for a clock; leases run out because `TimeMachine` makes what lies in the bucket older.
"""

from __future__ import annotations

from gpujob.testing.store_cleaning import CleaningContract
from gpujob.testing.store_fairness import FairnessContract
from gpujob.testing.store_lives import LifeContract
from gpujob.testing.store_names import NameContract
from gpujob.testing.store_setting import ManualRuntime, StoreSetting, TimeMachine

__all__ = ["ManualRuntime", "StoreContract", "StoreSetting", "TimeMachine"]


class StoreContract(LifeContract, NameContract, CleaningContract, FairnessContract):
    """Everything a job store must do."""
