"""The job store on real S3 servers, behind retries as `open_store` puts them."""

from __future__ import annotations

import pytest
from localstack.servers import Server

from gpujob.buckets.base import Bucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.testing.store_contract import StoreContract
from tests.contract.test_s3 import folder, opened
from tests.servers import minio, seaweedfs
from tests.sizing import only_at_full_size, pick

__all__ = ["folder", "minio", "seaweedfs"]


class OnServer(StoreContract):
    backlog = pick(1050, 3000)
    many_pending = pick(300, 2000)
    claimers = 8
    claimed_jobs = pick(30, 60)

    @pytest.fixture
    def bucket(self, server: Server, folder: str) -> Bucket:
        return RetryingBucket(opened(server, folder), SYSTEM, Random(1))


class TestJobsOnMinio(OnServer):
    @pytest.fixture
    def server(self, minio: Server) -> Server:
        return minio


class TestJobsOnSeaweedfs(OnServer):
    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> Server:
        only_at_full_size("the job store's contract on a second server")
        started: Server = request.getfixturevalue("seaweedfs")
        return started
