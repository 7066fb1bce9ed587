"""Bodies that change on their way: what is sent says its checksum, and what comes is held against its version."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from gpujob.buckets.s3 import S3Bucket
from gpujob.errors import Busy, Unavailable
from tests.unit.buckets_s3.canned import Canned, error, stored

BODY = b'{"id": "01m81p833a4qgn9ksxr0zhz8vy"}'
ALTERED = b'{"id": "01m81p833a4qgn9ksxr0zhz8vX"}'
ETAG = f'"{hashlib.md5(BODY).hexdigest()}"'


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_what_is_sent_says_its_checksum(server: Canned, bucket: S3Bucket, tmp_path: Path) -> None:
    server.answers = [stored()]
    (tmp_path / "file").write_bytes(ALTERED)
    bucket.create("k", BODY)
    bucket.replace("k", BODY, "v")
    bucket.upload("k", tmp_path / "file")
    assert [request.headers["content-md5"] for request in server.requests] == [
        checksum(BODY), checksum(BODY), checksum(ALTERED),
    ]  # fmt: skip
    assert server.requests[2].body == ALTERED


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"])
def test_a_body_that_arrived_altered_was_not_written(code: str, server: Canned, bucket: S3Bucket) -> None:
    server.answers = [error(400, code)]
    with pytest.raises(Busy, match="arrived altered"):
        bucket.create("k", BODY)


def test_an_altered_answer_is_not_believed(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(ALTERED, ETAG), stored(BODY, ETAG)]
    with pytest.raises(Unavailable, match="altered on its way"):
        bucket.get("k")
    found = bucket.get("k")
    assert found is not None and found.body == BODY
    assert len(server.requests) == 3, "a body that fits is not read twice"


def test_versions_that_are_no_md5_are_found_out_once(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(BODY, f'"{"5" * 32}"')]
    for _ in range(3):
        found = bucket.get("k")
        assert found is not None and found.body == BODY
    assert len(server.requests) == 4, "read again at the first answer only"


def test_a_part_of_a_body_is_not_held_against_its_version(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(ALTERED, ETAG)]
    found = bucket.get("k", max_bytes=5)
    assert found is not None and found.body == ALTERED[:6]
