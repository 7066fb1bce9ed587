"""What a real store does with a body that was altered on its way there: it keeps what it had.

Without the checksum in the request SeaweedFS would store it: it does not look at the sha256 that the signature names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from localstack.servers import BUCKET, Server

from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.errors import Busy
from gpujob.ids import new_id
from tests.faults.draws import Chances
from tests.faults.proxy import FaultProxy
from tests.servers import minio, s3_server, seaweedfs

__all__ = ["minio", "s3_server", "seaweedfs"]

OLD, NEW = b"old" * 100, b"new" * 100
ALTERING = Chances(1.0, ("request altered",))


def at(server: Server, endpoint: str, prefix: str) -> S3Bucket:
    return open_s3(BUCKET, prefix, endpoint_url=endpoint, session=server.session())


@pytest.fixture
def prefix() -> str:
    return new_id(SYSTEM.now(), system_random())


@pytest.fixture
def near(s3_server: Server, prefix: str) -> S3Bucket:
    return at(s3_server, s3_server.endpoint, prefix)


@pytest.fixture
def far(s3_server: Server, prefix: str) -> Iterator[S3Bucket]:
    with FaultProxy(s3_server.port, ALTERING, seed=1) as proxy:
        yield at(s3_server, proxy.endpoint, prefix)


def test_a_record_altered_on_its_way_is_not_stored(near: S3Bucket, far: S3Bucket) -> None:
    with pytest.raises(Busy, match="arrived altered"):
        far.create("new", NEW)
    assert near.get("new") is None
    version = near.create("old", OLD)
    with pytest.raises(Busy, match="arrived altered"):
        far.replace("old", NEW, version)
    found = near.get("old")
    assert found is not None and (found.body, found.version) == (OLD, version)


def test_a_file_altered_on_its_way_is_not_stored(near: S3Bucket, far: S3Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(NEW)
    with pytest.raises(Busy, match="arrived altered"):
        far.upload("file", tmp_path / "file")
    assert near.get("file") is None
