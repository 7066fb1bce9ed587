"""The job store on our own imitation of Google Cloud Storage, behind retries as `open_store` puts them.

One change of a name a second, and the answer 429 before any look at the condition: the harshest order. The waits are
instant.
"""

from __future__ import annotations

import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.gcs import GoogleBucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random
from gpujob.testing.store_contract import StoreContract
from tests.google.instant import InstantTurns
from tests.google.places import by_key, folder, google, turns, under
from tests.sizing import only_at_full_size

__all__ = ["by_key", "folder", "google", "turns"]


class TestJobsOnGoogle(StoreContract):
    backlog = 1010
    many_pending = 100
    claimers = 6
    claimed_jobs = 30

    @pytest.fixture(autouse=True)
    def _long(self) -> None:
        only_at_full_size("the job store's contract on gs://")

    @pytest.fixture
    def bucket(self, by_key: GoogleBucket, turns: InstantTurns, folder: str) -> Bucket:
        return RetryingBucket(under(by_key, folder), turns, Random(1))
