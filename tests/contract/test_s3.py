"""The S3 bucket keeps the contract on real servers; beyond it: parts, wrong credentials, missing buckets, dead servers.

The race rounds are few on SeaweedFS because it makes a writer that has to wait for another do so for a whole second.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from localstack.servers import BUCKET, Server, running

from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import create_bucket, open_bucket, separate_connection
from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.buckets.s3_client import Timeouts
from gpujob.errors import Denied, NoSuchBucket, PreconditionFailed, Unavailable
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from tests.contract.s3_back_door import S3BackDoor
from tests.servers import minio, s3_server, seaweedfs, start_server

__all__ = ["minio", "s3_server", "seaweedfs"]

_folders = itertools.count()


@pytest.fixture
def prefix() -> str:
    """A place of its own for each test."""
    return f"contract/{os.getpid()}-{next(_folders)}"


class OnServer(BucketContract):
    equal_bodies_get_new_versions = False
    many_keys = 2100

    @pytest.fixture
    def bucket(self, server: Server, prefix: str) -> S3Bucket:
        return opened(server, prefix)

    @pytest.fixture
    def back_door(self, server: Server, prefix: str) -> BackDoor:
        return S3BackDoor(server.client(), BUCKET, prefix + "/")


class TestMinio(OnServer):
    rounds = 40
    keys_may_nest = False

    @pytest.fixture
    def server(self, minio: Server) -> Server:
        return minio


class TestSeaweedfs(OnServer):
    rounds = 3
    racers = 8

    @pytest.fixture
    def server(self, seaweedfs: Server) -> Server:
        return seaweedfs


def opened(server: Server, prefix: str = "", name: str = BUCKET, part_bytes: int = 5 << 20) -> S3Bucket:
    return open_s3(name, prefix, session=server.session(), endpoint_url=server.endpoint, part_bytes=part_bytes)


def test_a_large_file_travels_in_parts(s3_server: Server, prefix: str, tmp_path: Path) -> None:
    body = os.urandom(1 << 20) * 11
    (tmp_path / "large").write_bytes(body)
    bucket = opened(s3_server, prefix)
    bucket.upload("artifacts/large.bin", tmp_path / "large", media_type="audio/wav")
    head = s3_server.client().head_object(Bucket=BUCKET, Key=f"{prefix}/artifacts/large.bin")
    assert head["ETag"].strip('"').endswith("-3") and head["ContentType"] == "audio/wav"
    with bucket.download("artifacts/large.bin") as chunks:
        assert chunks is not None
        assert b"".join(chunks) == body
    with bucket.download("artifacts/large.bin", offset=len(body) - 5) as chunks:
        assert chunks is not None
        assert b"".join(chunks) == body[-5:]
    with pytest.raises(PreconditionFailed):
        bucket.create("artifacts/large.bin", b"")


def test_small_records_keep_their_media_type(s3_server: Server, prefix: str) -> None:
    opened(s3_server, prefix).create("queue.json", b"{}")
    head = s3_server.client().head_object(Bucket=BUCKET, Key=f"{prefix}/queue.json")
    assert head["ContentType"] == "application/json"


@pytest.mark.parametrize("style", ["quoted", "unquoted"])
def test_both_version_styles(s3_server: Server, prefix: str, style: str) -> None:
    bucket = opened(s3_server, prefix).with_etag_style(style)  # type: ignore[arg-type]
    old = bucket.create("a", b"1")
    new = bucket.replace("a", b"2", old)
    assert '"' not in old + new
    with pytest.raises(PreconditionFailed):
        bucket.replace("a", b"3", old)


def test_the_whole_environment_leads_to_the_store(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    url = "s3://made-by-init/team/queue"
    with pytest.raises(NoSuchBucket, match=r"no bucket for s3://made-by-init/team/queue at http://127") as error:
        open_bucket(url).list("")
    assert error.value.hint is not None and f"gpujob init {url}" in error.value.hint
    assert (create_bucket(url), create_bucket(url)) == (True, False)
    bucket = open_bucket(url)
    bucket.create("queue.json", b"{}")
    beats = separate_connection(bucket)
    assert beats is not bucket and beats.url == url
    assert [entry.key for entry in beats.list("").entries] == ["queue.json"]


def broken(server: Server, **changed: str) -> Bucket:
    wrong = Server(server.name, server.program, server.folder, server.port, **changed)
    return opened(wrong, "denied")


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"access_key": "nobody"}, "does not know this access key"), ({"secret_key": "wrong-secret"}, "secret key")],
)
def test_wrong_credentials_are_said(s3_server: Server, changed: dict[str, str], words: str) -> None:
    bucket = broken(s3_server, **changed)
    calls = [lambda: bucket.get("a"), lambda: bucket.list(""), lambda: bucket.create("a", b"secret body")]
    for call in calls:
        with pytest.raises(Denied, match=words) as error:
            call()
        assert error.value.hint is not None and "AWS_ACCESS_KEY_ID" in error.value.hint
        assert "wrong-secret" not in error.value.message and s3_server.secret_key not in error.value.message
    with pytest.raises(Denied, match="HEAD does not say why"):
        bucket.head("a")


def test_a_missing_bucket_is_said(s3_server: Server, tmp_path: Path) -> None:
    bucket = opened(s3_server, name="not-there")
    (tmp_path / "file").write_bytes(b"x")
    calls = [
        lambda: bucket.get("a"),
        lambda: bucket.list(""),
        lambda: bucket.replace("a", b"", "0" * 32),
        lambda: bucket.download("a").__enter__(),
    ]
    for call in calls:
        with pytest.raises(NoSuchBucket, match="no bucket for s3://not-there"):
            call()


def test_a_dead_server_is_unavailable_and_comes_back(s3_server: Server, prefix: str) -> None:
    start_server(s3_server.name)
    with running(s3_server.name) as server:
        clients = open_s3(
            BUCKET, prefix, session=server.session(), endpoint_url=server.endpoint, timeouts=Timeouts(2.0, 5.0, 5.0)
        )
        version = clients.create("leased/a.json", b"1")
        server.stop(keep=True)
        calls = [
            lambda: clients.get("leased/a.json"),
            lambda: clients.head("leased/a.json"),
            lambda: clients.list(""),
            lambda: clients.delete("leased/a.json"),
            lambda: clients.create("leased/b.json", b"1"),
            lambda: clients.replace("leased/a.json", b"2", version),
            lambda: clients.download("leased/a.json").__enter__(),
        ]
        for call in calls:
            with pytest.raises(Unavailable, match=f"{server.endpoint}") as error:
                call()
            assert "AWS_ENDPOINT_URL_S3" in str(error.value.hint) or "broke off" in error.value.message
        server.start()
        found = clients.get("leased/a.json")
        assert found is not None and (found.body, found.version) == (b"1", version)
