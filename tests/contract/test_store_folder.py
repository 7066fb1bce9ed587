"""The job store on a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob.buckets.folder import FolderBucket
from gpujob.testing.store_contract import StoreContract


class TestJobsInAFolder(StoreContract):
    many_pending = 2000

    @pytest.fixture
    def bucket(self, tmp_path: Path) -> FolderBucket:
        return FolderBucket(tmp_path / "store")
