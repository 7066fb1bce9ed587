"""What goes over the wire: headers, addresses, and which connection carries it."""

from __future__ import annotations

import logging
from email.utils import formatdate
from pathlib import Path
from typing import Any

import boto3.session
import pytest
from botocore.exceptions import ClientError

from gpujob.buckets.opening import separate_connection
from gpujob.buckets.retrying import RetryingBucket
from gpujob.buckets.s3 import EMPTY_PAGES, S3Bucket, open_s3
from gpujob.buckets.s3_client import S3Clients, Timeouts, is_tigris, plain_endpoint
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.errors import Busy, Denied, Unavailable, UnsafeStore
from gpujob.records import QueueConfig
from gpujob.store import JobStore
from tests.unit.buckets_s3.canned import NOW, Answer, Canned, error, stored
from tests.unit.buckets_s3.conftest import SESSION, FixedClock


def test_conditional_headers(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored()]
    bucket.create("leased/a.json", b"{}")
    bucket.replace("leased/a.json", b"{}", "v1")
    bucket.with_etag_style("unquoted").replace("leased/a.json", b"{}", "v1")
    create, quoted, unquoted = server.requests
    assert create.path == "/queue/team/a/leased/a.json", "path style, under the prefix"
    assert create.headers["if-none-match"] == "*" and "if-match" not in create.headers
    assert quoted.headers["if-match"] == '"v1"' and "if-none-match" not in quoted.headers
    assert unquoted.headers["if-match"] == "v1"
    assert create.body == b"{}"


def test_no_checksums_that_stores_refuse(server: Canned, bucket: S3Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    server.answers = [stored(), stored(), stored(b"0123456789"), Answer(204)]
    bucket.create("k", b"{}")
    bucket.upload("k", tmp_path / "file", media_type="audio/wav")
    bucket.get("k")
    bucket.delete("k")
    assert len(server.requests) == 4
    for request in server.requests:
        names = " ".join(request.headers)
        assert "x-amz-checksum" not in names and "x-amz-sdk-checksum" not in names and "x-amz-trailer" not in names
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
    upload = server.requests[1]
    assert upload.body == b"0123456789" and upload.headers["content-type"] == "audio/wav"
    assert "if-none-match" not in upload.headers and "if-match" not in upload.headers


def test_beats_and_transfers_have_connections_of_their_own(server: Canned, bucket: S3Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    server.answers = [stored()]
    beats = separate_connection(RetryingBucket(bucket, SYSTEM, Random(1)))
    assert isinstance(beats, RetryingBucket) and beats.inner is not bucket
    for _ in range(2):
        bucket.create("claim", b"")
        beats.replace("beat", b"", "v")
        bucket.upload("bulk", tmp_path / "file")
    peers = [request.peer for request in server.requests]
    assert peers[:3] == peers[3:], "connections are kept"
    assert len(set(peers)) == 3, "and none is shared"


def test_a_stalled_transfer_does_not_hold_up_a_beat(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [stored(b"0123456789"), stored()]
    with bucket.download("bulk") as chunks:  # its body is not read yet
        assert chunks is not None
        assert bucket.fresh_connection().replace("beat", b"", "v") == "abc"
        assert bucket.replace("claim", b"", "v") == "abc"
        assert b"".join(chunks) == b"0123456789"
    assert len({request.peer for request in server.requests}) == 3


def test_a_beat_that_gets_no_answer_gives_up_before_the_other_requests(server: Canned, clock: FixedClock) -> None:
    bucket = open_s3("queue", session=SESSION, endpoint_url=server.endpoint, runtime=clock)
    server.answers = [Answer(stall=True)]
    with pytest.raises(Unavailable, match="in time"):
        separate_connection(bucket, silence_s=0.2).replace("beat", b"", "v")


@pytest.mark.parametrize(
    ("ttl_s", "beat_s", "read_s"), [(30.0, 10.0, 5.0), (3.0, 1.0, 5.0), (60.0, 19.0, 12.0), (600.0, 60.0, 15.0)]
)
def test_one_silent_request_lasted_as_long_as_a_lease_is_trusted(ttl_s: float, beat_s: float, read_s: float) -> None:
    bucket = open_s3("queue", session=SESSION, endpoint_url="http://127.0.0.1:9")
    store = JobStore(RetryingBucket(bucket, SYSTEM, Random(1)), config=QueueConfig(ttl_s=ttl_s, beat_s=beat_s))
    for beats in (store.claimer("w", lambda _: True).beats, store.sweeper("w").claimer.beats):
        assert isinstance(beats, RetryingBucket) and isinstance(beats.inner, S3Bucket)
        timeouts = beats.inner.place.clients.timeouts
        assert (timeouts.connect_s, timeouts.read_s) == (5.0, read_s)


def test_a_page_asks_after_a_key_under_the_prefix(server: Canned, bucket: S3Bucket) -> None:
    row = (
        "<Contents><Key>team/a/done/2.json</Key><ETag>&quot;e&quot;</ETag><Size>3</Size>"
        "<LastModified>2025-10-09T08:53:13.250Z</LastModified></Contents>"
    )
    page = f"<ListBucketResult><IsTruncated>true</IsTruncated>{row}</ListBucketResult>"
    server.answers = [Answer(200, page.encode())]
    listing = bucket.list("done/", after="done/1.json", limit=7)
    (entry,) = listing.entries
    assert (entry.key, entry.version, entry.size_bytes) == ("done/2.json", "e", 3)
    assert entry.last_modified == NOW - 6.75 and listing.date == NOW and listing.truncated
    path = server.requests[0].path
    assert "prefix=team%2Fa%2Fdone%2F" in path and "start-after=team%2Fa%2Fdone%2F1.json" in path


def page(keys: str, *, token: str = "", truncated: bool = True) -> Answer:
    """A page of a listing with a row for each letter of `keys`."""
    rows = "".join(
        f"<Contents><Key>team/a/{key}</Key><ETag>&quot;e&quot;</ETag><Size>3</Size>"
        "<LastModified>2025-10-09T08:53:13.250Z</LastModified></Contents>"
        for key in keys
    )
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = f"<ListBucketResult><IsTruncated>{str(truncated).lower()}</IsTruncated>{rows}{more}</ListBucketResult>"
    return Answer(200, body.encode())


def test_a_page_without_keys_that_says_there_are_more_ended_the_worker(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [page("", token="one"), page("", token="two"), page("k", truncated=False)]
    listing = bucket.list("", after="a")
    assert [entry.key for entry in listing.entries] == ["k"] and not listing.truncated
    assert ["continuation-token=one" in r.path for r in server.requests] == [False, True, False]
    assert "continuation-token=two" in server.requests[2].path


@pytest.mark.parametrize("token", ["", "again"])
def test_pages_without_keys_and_without_end_are_no_answer(server: Canned, bucket: S3Bucket, token: str) -> None:
    server.answers = [page("", token=token)]
    with pytest.raises(Unavailable, match="say that there is more"):
        bucket.list("")
    assert len(server.requests) == (EMPTY_PAGES if token else 1)


# ---------------------------------------------------------------------- the clock

HOUR_S = 3600.0


def test_a_refusal_for_the_clock_teaches_the_stores_time(
    server: Canned, bucket: S3Bucket, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.moment = SYSTEM.now()  # botocore signs with the machine's own clock, years after the canned store's
    server.answers = [error(403, "RequestTimeTooSkewed"), stored()]
    with caplog.at_level(logging.WARNING), pytest.raises(Busy, match="this machine's clock"):
        bucket.create("k", b"")
    assert "requests are now signed for the store's time" in caplog.text
    assert bucket.create("k", b"") == "abc"
    assert bucket.fresh_connection().create("k", b"") == "abc"
    before, *after = (request.headers["x-amz-date"] for request in server.requests)
    assert not before.startswith("20251009")
    assert all(date.startswith("20251009T0853") for date in after)
    assert all("/20251009/us-east-1/s3/aws4_request" in r.headers["authorization"] for r in server.requests[1:])


def test_a_silent_refusal_far_off_is_taken_for_the_clock(server: Canned, bucket: S3Bucket, clock: FixedClock) -> None:
    clock.moment = NOW + HOUR_S
    server.answers = [error(403), stored()]
    with pytest.raises(Busy):
        bucket.head("k")
    assert bucket.head("k") is not None


def test_the_second_of_two_requests_that_were_refused_for_the_clock_at_once_ended_the_worker(
    server: Canned, bucket: S3Bucket, clock: FixedClock
) -> None:
    clock.moment = NOW + HOUR_S
    server.answers = [error(403, "RequestTimeTooSkewed"), error(403, "RequestTimeTooSkewed"), stored()]

    def overtaken() -> None:
        try:
            bucket.place.clients.requests.put_object(Bucket="queue", Key="second", Body=b"")
        except ClientError:
            with pytest.raises(Busy):
                bucket.create("first", b"")
            raise

    with pytest.raises(Busy, match="this machine's clock"):
        bucket.place.ask("PUT", "second", overtaken)
    assert bucket.create("second", b"") == "abc"


def test_a_store_that_goes_on_refusing_is_said(server: Canned, bucket: S3Bucket, clock: FixedClock) -> None:
    clock.moment = NOW + HOUR_S
    server.answers = [error(403, "RequestTimeTooSkewed")]
    with pytest.raises(Busy):
        bucket.create("k", b"")
    with pytest.raises(Denied, match=f"clock says {formatdate(NOW, usegmt=True)}") as caught:
        bucket.create("k", b"")
    assert caught.value.hint is not None and "NTP" in caught.value.hint


def test_a_refusal_with_the_right_time_is_about_credentials(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [error(403)]
    with pytest.raises(Denied, match="HEAD does not say why"):
        bucket.head("k")


# ---------------------------------------------------------------------- where it leads


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])
def test_google_is_refused_by_its_endpoint(aws: pytest.MonkeyPatch, variable: str) -> None:
    aws.setenv(variable, "https://storage.googleapis.com")
    with pytest.raises(UnsafeStore, match="ignores the conditions") as caught:
        open_s3("queue")
    assert caught.value.hint is not None and "AWS_ENDPOINT_URL_S3" in caught.value.hint


def test_google_is_refused_by_a_profile(aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ["[profile g]", "services = g", "[services g]", "s3 =", "  endpoint_url = https://storage.googleapis.com"]
    (tmp_path / "config").write_text("\n".join(lines) + "\n")
    aws.setenv("AWS_PROFILE", "g")
    with pytest.raises(UnsafeStore, match=r"storage\.googleapis\.com"):
        open_s3("queue")


def test_settings_of_every_client() -> None:
    clients = S3Clients(SYSTEM, session=SESSION, endpoint_url="http://127.0.0.1:1", timeouts=Timeouts(3, 4, 5))
    for client, attempts, read_s in ((clients.requests, 1, 4), (clients.transfer, 1, 5), (clients.multipart, 4, 5)):
        config: Any = client.meta.config
        assert config.signature_version == "s3v4"
        assert config.request_checksum_calculation == config.response_checksum_validation == "when_required"
        assert config.retries["total_max_attempts"] == attempts
        assert (config.connect_timeout, config.read_timeout) == (3, read_s)
    assert clients.requests is clients.requests
    assert clients.fresh().requests is not clients.requests


def test_aws_itself_is_addressed_by_host_name() -> None:
    session = boto3.session.Session("a", "s", region_name="eu-central-1")
    url = S3Clients(SYSTEM, session=session).requests.generate_presigned_url(
        "get_object", Params={"Bucket": "queue", "Key": "k"}
    )
    assert url.startswith("https://queue.s3.") and "amazonaws.com/k?" in url


@pytest.mark.parametrize(
    ("endpoint", "there"),
    [("https://t3.storage.dev", True), ("https://fly.storage.tigris.dev", True), ("https://nottigris.dev", False)],
)
def test_tigris_is_asked_for_consistency(endpoint: str, there: bool) -> None:
    assert is_tigris(endpoint) is there
    clients = S3Clients(SYSTEM, session=SESSION, endpoint_url=endpoint)
    seen: list[object] = []

    def stop(request: object, **_: object) -> None:
        seen.append(request.headers.get("X-Tigris-Consistent"))  # type: ignore[attr-defined]
        raise ConnectionError("nothing leaves this test")

    clients.requests.meta.events.register("before-send.s3", stop)
    with pytest.raises(ConnectionError):
        clients.requests.get_object(Bucket="queue", Key="k")
    assert seen == [b"true" if there else None]


def test_an_endpoint_is_shown_without_a_password() -> None:
    assert plain_endpoint("https://user:secret@store.example:9000/path") == "https://store.example:9000"
