"""Every answer and every failure becomes the right error, after exactly one request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.s3 import S3Bucket
from gpujob.errors import (
    BucketError,
    Busy,
    Configuration,
    Denied,
    GpujobError,
    LocalDisk,
    NoSuchBucket,
    PreconditionFailed,
    Unavailable,
    UnsafeStore,
)
from tests.unit.buckets_s3.canned import NOW, Answer, Canned, error, stored

VERBS: dict[str, Callable[[Bucket], object]] = {
    "get": lambda bucket: bucket.get("k"),
    "head": lambda bucket: bucket.head("k"),
    "list": lambda bucket: bucket.list("k"),
    "delete": lambda bucket: bucket.delete("k"),
    "create": lambda bucket: bucket.create("k", b"body"),
    "replace": lambda bucket: bucket.replace("k", b"body", "v1"),
    "upload": lambda bucket: bucket.upload("k", Path(__file__)),
    "download": lambda bucket: bucket.download("k").__enter__(),
}
EMPTY_PAGE = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


def outcome(verb: str, bucket: Bucket) -> type[BaseException]:
    with pytest.raises(GpujobError) as caught:
        VERBS[verb](bucket)
    return caught.type


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(409, "ConditionalRequestConflict"), Busy),
        (error(429, "TooManyRequests"), Busy),
        (error(503, "SlowDown"), Busy),
        (error(503), Busy),
        (error(500, "InternalError"), Unavailable),
        (error(502), Unavailable),
        (error(504), Unavailable),
        (error(408, "RequestTimeout"), Unavailable),
        (error(400, "RequestTimeout"), Unavailable),
        (error(403, "AccessDenied"), Denied),
        (error(403), Denied),
        (error(401), Denied),
        (error(400, "ExpiredToken"), Denied),
        (error(404, "NoSuchBucket"), NoSuchBucket),
        (error(501, "NotImplemented"), UnsafeStore),
        (error(400, "InvalidArgument"), Configuration),
        (Answer(drop=True), Unavailable),
        (Answer(stall=True), Unavailable),
    ],
    ids=lambda value: f"{value.status}{value.drop:d}{value.stall:d}" if isinstance(value, Answer) else value.__name__,
)
def test_errors_of_every_verb(
    server: Canned, bucket: S3Bucket, impatient: S3Bucket, verb: str, answer: Answer, expected: type[GpujobError]
) -> None:
    server.answers = [answer]
    if verb == "head" and answer.status == 404:
        assert bucket.head("k") is None  # an answer to HEAD says no more
        return
    if verb == "head" and answer.status == 400:
        expected = Configuration
    assert outcome(verb, impatient if answer.stall else bucket) is expected
    assert server.heard.wait(20)
    region_asked = verb == "head" and answer.status == 400  # botocore asks in which region the bucket is
    reason_asked = verb == "head" and answer.status in (400, 403)  # by a GET, whose answer has a body
    assert len(server.requests) == 1 + region_asked + reason_asked, "one call is one request"


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("create", error(412, "PreconditionFailed")),
        ("create", error(412)),
        ("replace", error(412, "PreconditionFailed")),
        ("replace", error(404, "NoSuchKey")),
        ("replace", error(404)),
    ],
)
def test_a_condition_that_does_not_hold(server: Canned, bucket: S3Bucket, verb: str, answer: Answer) -> None:
    server.answers = [answer]
    assert outcome(verb, bucket) is PreconditionFailed
    assert len(server.requests) == 1


def test_a_busy_answer_is_not_sent_again_by_the_sdk(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [error(409, "ConditionalRequestConflict"), stored()]
    assert outcome("create", bucket) is Busy
    assert bucket.create("k", b"body") == "abc"
    assert len(server.requests) == 2


@pytest.mark.parametrize("verb", ["get", "head", "delete", "download"])
@pytest.mark.parametrize("code", ["NoSuchKey", ""])
def test_a_missing_object(server: Canned, bucket: S3Bucket, verb: str, code: str) -> None:
    server.answers = [error(404, code)]
    assert VERBS[verb](bucket) is None


@pytest.mark.parametrize("cut", [0, 5])
def test_a_body_that_breaks_off(server: Canned, bucket: S3Bucket, cut: int) -> None:
    answer = stored(b"0123456789")
    answer.cut = cut
    server.answers = [answer]
    assert outcome("get", bucket) is Unavailable
    with pytest.raises(Unavailable):
        bucket.get("k", max_bytes=7)
    with bucket.download("k") as chunks:
        assert chunks is not None
        with pytest.raises(Unavailable):
            list(chunks)


@pytest.mark.parametrize("cut", [0, 40])
def test_a_listing_that_breaks_off(server: Canned, bucket: S3Bucket, cut: int) -> None:
    server.answers = [Answer(200, EMPTY_PAGE, cut=cut)]
    assert outcome("list", bucket) is Unavailable


def test_answers_that_lack_what_decides(server: Canned, bucket: S3Bucket) -> None:
    no_version = stored()
    del no_version.headers["ETag"]
    no_date = stored()
    no_date.date = None
    for answer, verb in [(no_version, "create"), (no_version, "head"), (no_date, "head"), (no_date, "get")]:
        server.answers = [answer]
        assert outcome(verb, bucket) is Unavailable
    server.answers = [Answer(200, EMPTY_PAGE, date=None)]
    assert outcome("list", bucket) is Unavailable


def test_what_an_answer_says(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(b"0123456789", '"v-1"')]
    found = bucket.get("k", max_bytes=3)
    assert found is not None
    assert (found.body, found.size_bytes, found.version) == (b"0123", 10, "v-1")
    assert (found.date, found.last_modified) == (NOW, NOW - 7)


def test_a_download_that_ignores_the_offset_is_not_believed(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(b"0123456789")]
    with pytest.raises(Unavailable, match="all of k"):
        bucket.download("k", offset=4).__enter__()
    assert server.requests[0].headers["range"] == "bytes=4-"


def test_a_download_from_the_end_is_empty(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [error(416, "InvalidRange")]
    with bucket.download("k", offset=10) as chunks:
        assert chunks is not None and list(chunks) == []


def test_an_unreachable_endpoint_is_named(bucket: S3Bucket, server: Canned) -> None:
    server.close()
    with pytest.raises(Unavailable, match=f"Cannot reach the store at {server.endpoint}") as caught:
        bucket.get("k")
    assert caught.value.hint is not None and "AWS_ENDPOINT_URL_S3" in caught.value.hint


def test_a_file_that_cannot_be_read_sends_nothing(bucket: S3Bucket, server: Canned, tmp_path: Path) -> None:
    with pytest.raises(LocalDisk, match=r"Cannot read .*none\.wav"):
        bucket.upload("k", tmp_path / "none.wav")
    assert server.requests == []


@pytest.mark.parametrize(
    "answer", [error(403, "SignatureDoesNotMatch"), error(500, "InternalError"), Answer(drop=True)]
)
def test_no_message_holds_a_secret(server: Canned, bucket: S3Bucket, answer: Answer) -> None:
    server.answers = [answer]
    with pytest.raises((BucketError, Denied)) as caught:
        bucket.create("k", b"body-of-the-test")
    said = f"{caught.value.message} {caught.value.hint}"
    assert "s3://queue/team/a" in said and server.endpoint in said
    for secret in ("secret-of-the-test", "access-key-of-the-test", "body-of-the-test", "Signature="):
        assert secret not in said
