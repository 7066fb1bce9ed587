"""The S3 bucket keeps the contract on real servers; beyond it: parts, wrong credentials, missing buckets, dead servers.

The race rounds are few on SeaweedFS because it makes a writer that has to wait for another do so for a whole second.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import boto3.session
import pytest
from localstack.servers import BUCKET, Server, running

from gpujob.buckets.base import Bucket
from gpujob.buckets.opening import create_bucket, open_bucket, separate_connection
from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.buckets.s3_client import Timeouts
from gpujob.errors import Denied, NoSuchBucket, PreconditionFailed, Unavailable
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from gpujob.testing.bucket_listing import TRICKY, names
from tests.contract.s3_back_door import S3BackDoor
from tests.servers import minio, s3_server, seaweedfs
from tests.sizing import pick

__all__ = ["minio", "s3_server", "seaweedfs"]

_folders = itertools.count()


@pytest.fixture
def folder() -> str:
    """A place of its own for each test."""
    return f"contract/{os.getpid()}-{next(_folders)}"


class OnServer(BucketContract):
    equal_bodies_get_new_versions = False
    many_keys = pick(quick=1100, full=2500)

    @pytest.fixture
    def bucket(self, server: Server, folder: str) -> S3Bucket:
        return opened(server, folder)

    @pytest.fixture
    def back_door(self, server: Server, folder: str) -> BackDoor:
        return S3BackDoor(server.client(), BUCKET, folder + "/")


class TestMinio(OnServer):
    rounds = pick(quick=15, full=30)  # five times that at full size
    keys_may_nest = False

    @pytest.fixture
    def server(self, minio: Server) -> Server:
        return minio


class TestSeaweedfs(OnServer):
    """SeaweedFS keeps folders: it lists `a/b` before `a-b`, and after `a` it leaves out what is in the folder `a`.

    The protocol asks only for keys of one folder, or of folders whose names none begins another's, after a key in
    them; those come in order. So the tests of order are held here to that, and to pages that chain without a gap.
    """

    rounds = pick(quick=3, full=4)
    racers = 8
    keys_may_nest = False

    @pytest.fixture
    def server(self, seaweedfs: Server) -> Server:
        return seaweedfs

    def test_order_is_that_of_whole_keys(self, bucket: Bucket) -> None:
        keys = sorted(
            [f"pending/{priority}/{number:026d}.echo.json" for priority in (1, 5, 9) for number in range(3)]
            + [f"artifacts/{number:026d}/{epoch}-0a/log/0001.txt" for number in range(3) for epoch in (1, 2, 10)]
        )
        for key in reversed(keys):
            bucket.create(key, key.encode())
        assert names(bucket, "") == keys

    @pytest.mark.parametrize(
        "prefix", ["", "a", "a-", "a/", "a/b", "a/b.", "b", "b/", "b/c/", "b/c/d", "z", "zz", "c/"]
    )
    def test_a_prefix_is_any_beginning_of_a_key(self, bucket: Bucket, prefix: str) -> None:
        for key in TRICKY:
            bucket.create(key, key.encode())
        assert sorted(names(bucket, prefix)) == [key for key in TRICKY if key.startswith(prefix)]

    @pytest.mark.parametrize("prefix", ["", "pending/", "pending/5/", "pending/5/0"])
    def test_after_leaves_out_all_keys_up_to_it(self, bucket: Bucket, prefix: str) -> None:
        keys = [f"pending/{priority}/{number:02d}.echo.json" for priority in (1, 5, 9) for number in (0, 4, 6)]
        for key in keys:
            bucket.create(key, b"")
        for after in ["pending/1/03", "pending/1/04.", "pending/5/", "pending/5/00.echo.json", "pending/9/99", *keys]:
            expected = [key for key in keys if key.startswith(prefix) and key > after]
            assert names(bucket, prefix, after) == expected, f"after {after}"

    def test_pages_of_every_size_chain_without_gap_or_repeat(self, bucket: Bucket) -> None:
        for key in TRICKY:
            bucket.create(key, key.encode())
        for limit in (1, 2, 3, len(TRICKY) - 1, len(TRICKY), len(TRICKY) + 1):
            found = names(bucket, "", limit=limit)
            while page := names(bucket, "", after=found[-1], limit=limit):
                assert len(page) <= limit
                found += page
            assert sorted(found) == TRICKY


def opened(server: Server, prefix: str = "", name: str = BUCKET, part_bytes: int = 5 << 20) -> S3Bucket:
    return open_s3(name, prefix, session=server.session(), endpoint_url=server.endpoint, part_bytes=part_bytes)


def test_a_page_that_minio_calls_the_last_is_not(s3_server: Server, folder: str) -> None:
    keys = ["a/b.c", "a/b0", "a0", "aa", "b/c/d/e", "b/c/d0", "b0", "z"]
    bucket = opened(s3_server, folder)
    for key in keys:
        bucket.create(key, b"")
    for limit in range(1, len(keys)):
        listing = bucket.list("", after="a/b.c", limit=limit)
        assert ([entry.key for entry in listing.entries], listing.truncated) == (keys[1 : limit + 1], limit < 7)


def test_a_large_file_travels_in_parts(s3_server: Server, folder: str, tmp_path: Path) -> None:
    body = os.urandom(1 << 20) * 11
    (tmp_path / "large").write_bytes(body)
    bucket = opened(s3_server, folder)
    bucket.upload("artifacts/large.bin", tmp_path / "large", media_type="audio/wav")
    head = s3_server.client().head_object(Bucket=BUCKET, Key=f"{folder}/artifacts/large.bin")
    assert head["ETag"].strip('"').endswith("-3") and head["ContentType"] == "audio/wav"
    with bucket.download("artifacts/large.bin") as chunks:
        assert chunks is not None
        assert b"".join(chunks) == body
    with bucket.download("artifacts/large.bin", offset=len(body) - 5) as chunks:
        assert chunks is not None
        assert b"".join(chunks) == body[-5:]
    with pytest.raises(PreconditionFailed):
        bucket.create("artifacts/large.bin", b"")


def test_small_records_keep_their_media_type(s3_server: Server, folder: str) -> None:
    opened(s3_server, folder).create("queue.json", b"{}")
    head = s3_server.client().head_object(Bucket=BUCKET, Key=f"{folder}/queue.json")
    assert head["ContentType"] == "application/json"


@pytest.mark.parametrize("style", ["quoted", "unquoted"])
def test_both_version_styles(s3_server: Server, folder: str, style: str) -> None:
    bucket = opened(s3_server, folder).with_etag_style(style)  # type: ignore[arg-type]
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


def broken(server: Server, changed: dict[str, str]) -> Bucket:
    keys = {"access_key": server.access_key, "secret_key": server.secret_key, **changed}
    session = boto3.session.Session(keys["access_key"], keys["secret_key"], region_name=server.region)
    return open_s3(BUCKET, "denied", session=session, endpoint_url=server.endpoint)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"access_key": "nobody"}, "does not know this access key"), ({"secret_key": "wrong-secret"}, "secret key")],
)
def test_wrong_credentials_are_said(s3_server: Server, changed: dict[str, str], words: str) -> None:
    bucket = broken(s3_server, changed)
    calls: list[Callable[[], object]] = [
        lambda: bucket.get("a"),
        lambda: bucket.list(""),
        lambda: bucket.create("a", b"secret body"),
    ]
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
    calls: list[Callable[[], object]] = [
        lambda: bucket.get("a"),
        lambda: bucket.list(""),
        lambda: bucket.create("a", b""),
        lambda: bucket.upload("a", tmp_path / "file"),
        lambda: bucket.download("a").__enter__(),
    ]
    for call in calls:
        with pytest.raises(NoSuchBucket, match="no bucket for s3://not-there"):
            call()


def test_a_dead_server_is_unavailable_and_comes_back(s3_server: Server, folder: str) -> None:
    with running(s3_server.name) as server:
        clients = open_s3(
            BUCKET, folder, session=server.session(), endpoint_url=server.endpoint, timeouts=Timeouts(2.0, 5.0, 5.0)
        )
        version = clients.create("leased/a.json", b"1")
        server.stop(keep=True)
        calls: list[Callable[[], object]] = [
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
