"""A canned server and a bucket on it."""

from __future__ import annotations

from collections.abc import Iterator

import boto3.session
import pytest

from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.buckets.s3_client import Timeouts
from gpujob.clock import SystemRuntime
from tests.unit.buckets_s3.canned import NOW, Canned, canned

SESSION = boto3.session.Session("access-key-of-the-test", "secret-of-the-test", region_name="us-east-1")


class FixedClock(SystemRuntime):
    """This machine's clock, which a test may set wrong."""

    def __init__(self, now: float = NOW) -> None:
        self.moment = now

    def now(self) -> float:
        return self.moment


@pytest.fixture
def server() -> Iterator[Canned]:
    with canned() as server:
        yield server


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def bucket(server: Canned, clock: FixedClock) -> S3Bucket:
    return opened(server, clock, Timeouts(5, 20, 20))


@pytest.fixture
def impatient(server: Canned, clock: FixedClock) -> S3Bucket:
    """For a server that never answers."""
    return opened(server, clock, Timeouts(5, 0.3, 0.3))


def opened(server: Canned, clock: FixedClock, timeouts: Timeouts) -> S3Bucket:
    return open_s3("queue", "team/a", session=SESSION, endpoint_url=server.endpoint, runtime=clock, timeouts=timeouts)
