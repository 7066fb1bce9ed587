"""A store's URL leads to its bucket, or to a sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.opening import create_bucket, open_bucket, parse_url, separate_connection
from gpujob.errors import Configuration


@pytest.mark.parametrize(
    ("url", "scheme", "place", "prefix"),
    [
        ("s3://my-bucket", "s3", "my-bucket", ""),
        ("s3://my-bucket/", "s3", "my-bucket", ""),
        ("s3://my.bucket/team/a/", "s3", "my.bucket", "team/a"),
        ("gs://my.bucket/team/a", "gs", "my.bucket", "team/a"),
        ("file:///srv/queue", "file", "/srv/queue", ""),
        ("file://localhost/srv/my%20queue", "file", "/srv/my queue", ""),
        ("memory://", "memory", "", ""),
        ("memory://name", "memory", "name", ""),
    ],
)
def test_urls_of_stores(url: str, scheme: str, place: str, prefix: str) -> None:
    store = parse_url(url)
    assert (store.scheme, store.place, store.prefix, store.url) == (scheme, place, prefix, url)


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        ("/srv/queue", "not the URL of a store", "file:///srv/queue"),
        ("ftp://host/x", "not the URL of a store", "s3://bucket/prefix"),
        ("", "not the URL of a store", "s3://bucket/prefix"),
        ("s3://", "does not name a bucket", "s3://bucket"),
        ("s3://My_Bucket", "lower-case", "s3://bucket"),
        ("s3://bucket/a//b", "empty or dotted part", "s3://bucket/prefix"),
        ("s3://bucket/../b", "empty or dotted part", "s3://bucket/prefix"),
        ("s3://bucket?endpoint=x", "'?' or '#'", "s3://bucket/prefix"),
        ("file://srv/queue", "absolute path", "file:///srv/queue"),
        ("gs://", "does not name a bucket", "gs://bucket"),
        ("gs://bucket/a//b", "empty or dotted part", "gs://bucket/prefix"),
    ],
)
def test_what_cannot_be_opened_gets_a_sentence(url: str, message: str, hint: str) -> None:
    for opening in (open_bucket, create_bucket):
        with pytest.raises(Configuration) as caught:
            opening(url)
        assert message in caught.value.message and caught.value.hint is not None and hint in caught.value.hint


@pytest.mark.parametrize(
    "url", ["s3://key:top-secret@bucket/x", "ftp://key:top-secret@host/x", "file://k:top-secret@h/"]
)
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Configuration) as caught:
        open_bucket(url)
    assert "top-secret" not in f"{caught.value.message} {caught.value.hint}"


def test_local_stores_open_and_make_themselves(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/queue"
    assert create_bucket(url) is False
    assert isinstance(open_bucket(url), FolderBucket)
    assert open_bucket("memory://opening-test") is open_bucket("memory://opening-test")
    assert create_bucket("memory://opening-test") is False


def test_local_buckets_share_their_connection(tmp_path: Path) -> None:
    counted = CountingBucket(MemoryBucket())
    for bucket in (MemoryBucket(), FolderBucket(tmp_path), counted):
        assert separate_connection(bucket) is bucket


def test_nothing_of_boto_is_imported_for_a_local_store(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from gpujob.buckets.opening import open_bucket\n"
        f"open_bucket('file://{tmp_path}/q'); open_bucket('memory://x')\n"
        "print([name for name in sys.modules if name.startswith(('boto', 's3transfer'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AWS_PROFILE", "nope", "The config profile (nope) could not be found"),
        ("AWS_CONFIG_FILE", "broken.ini", "Unable to parse config file"),
        ("AWS_ENDPOINT_URL_S3", "127.0.0.1:9000", "no address"),
        ("AWS_ENDPOINT_URL_S3", "user:hunter2@minio.lab", "no address"),
    ],
)
def test_settings_of_aws_that_cannot_be_used_were_called_a_bug_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, says: str
) -> None:
    (tmp_path / "broken.ini").write_text("broken [")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv(name, value)
    with pytest.raises(Configuration) as caught:
        open_bucket("s3://my-bucket")
    assert says in caught.value.message and caught.value.hint
    assert "hunter2" not in str(caught.value) + caught.value.hint
