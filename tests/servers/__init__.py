"""Real S3 servers as fixtures: import `minio` and `seaweedfs` (or `s3_server`, both in turn) into a test module.

Invariant: one server of a kind in each test process, whoever asks first; each test works in a bucket or under a prefix
of its own. A server that is missing is skipped at home and fails where GPUJOB_REQUIRE names it.
"""

from __future__ import annotations

import atexit
from functools import cache

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import BUCKET, Server
from localstack.users import make_minio_users, seaweedfs_identities, users_of

from tests.sizing import require_or_skip

NAMES = ("minio", "seaweedfs")
SHARED, PREFIX = "shared", "team/a"
"""A bucket with more than one queue in it: the users of `users_of(SHARED)` are those of the queue under PREFIX."""


STARTED: list[Server] = []
"""The servers of this test process."""


def start_server(name: str) -> Server:
    """The server of that name in this test process, started at the first call; skips or fails where it is missing."""
    require_or_skip(name, HOW[name], there=find(name) is not None)
    return _started(name)


@cache
def _started(name: str) -> Server:
    server = servers.start(name, [*seaweedfs_identities(), *seaweedfs_identities(SHARED, PREFIX)])
    atexit.register(server.stop)
    STARTED.append(server)
    return server


def with_users(name: str) -> Server:
    """As `start_server`, with the narrow users of the bucket SHARED; on MinIO they are made at the first call."""
    server = start_server(name)
    _make_users(name)
    return server


@cache
def _make_users(name: str) -> None:
    server = _started(name)
    server.make_bucket(SHARED)
    if name == "minio":
        make_minio_users(server, SHARED, PREFIX)


def known_secrets() -> list[str]:
    """The secret keys of these servers and of their users."""
    users = (*users_of(BUCKET), *users_of(SHARED))
    return sorted({*(server.secret_key for server in STARTED), *(user.secret_key for user in users)})


@pytest.fixture(scope="session")
def minio() -> Server:
    """A running MinIO."""
    return start_server("minio")


@pytest.fixture(scope="session")
def seaweedfs() -> Server:
    """A running SeaweedFS."""
    return start_server("seaweedfs")


@pytest.fixture(scope="session", params=NAMES)
def s3_server(request: pytest.FixtureRequest) -> Server:
    """Both servers in turn."""
    return start_server(request.param)
