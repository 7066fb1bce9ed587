"""The folder bucket keeps the contract, between threads and between processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.testing.bucket_contract import BucketContract, ProcessRaceContract
from gpujob.testing.process_races import Opener
from tests.contract.back_doors import FolderBackDoor


class FolderSetting:
    @pytest.fixture
    def bucket(self, tmp_path: Path) -> FolderBucket:
        return FolderBucket(tmp_path / "store")

    @pytest.fixture
    def back_door(self, tmp_path: Path) -> FolderBackDoor:
        return FolderBackDoor(tmp_path / "store")


class TestFolderBucket(FolderSetting, BucketContract):
    """The contract, in one process."""


class TestFolderBetweenProcesses(FolderSetting, ProcessRaceContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(FolderBucket, tmp_path / "store")
