"""The contract that every bucket keeps: subclass it for a backend, and pytest runs all of it.

    class TestMyBucket(BucketContract):
        @pytest.fixture
        def bucket(self) -> MyBucket: ...          # empty, fresh for each test
        @pytest.fixture
        def back_door(self, bucket) -> BackDoor: ...   # the same place, read and written past the bucket under test

Invariant: what a bucket says is checked against its back door, so a bucket that fools itself is found out. The class
attributes say how long the races run and name the few freedoms that a store has.
"""

from __future__ import annotations

import pytest

from gpujob.testing.bucket_listing import ListingContract
from gpujob.testing.bucket_races import RaceContract
from gpujob.testing.bucket_setting import BackDoor, ContractSetting
from gpujob.testing.bucket_streams import StreamContract
from gpujob.testing.bucket_verbs import VerbContract
from gpujob.testing.process_races import ProcessRaceContract

__all__ = ["BackDoor", "BucketContract", "ContractSetting", "ProcessRaceContract"]


class BucketContract(VerbContract, ListingContract, StreamContract, RaceContract):
    """Everything a bucket must do, one process; `ProcessRaceContract` adds races between processes."""

    @pytest.fixture
    def bucket(self) -> object:
        raise NotImplementedError("a subclass of BucketContract provides the fixture `bucket`")

    @pytest.fixture
    def back_door(self) -> object:
        raise NotImplementedError("a subclass of BucketContract provides the fixture `back_door`")
