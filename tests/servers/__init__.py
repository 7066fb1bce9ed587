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
from localstack.servers import Server
from localstack.users import make_minio_users, seaweedfs_identities

from tests.sizing import require_or_skip

NAMES = ("minio", "seaweedfs")


def start_server(name: str) -> Server:
    """The server of that name in this test process, started at the first call; skips or fails where it is missing."""
    require_or_skip(name, HOW[name], there=find(name) is not None)
    return _started(name)


@cache
def _started(name: str) -> Server:
    server = servers.start(name, seaweedfs_identities())
    if name == "minio":
        make_minio_users(server)
    atexit.register(server.stop)
    return server


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
