"""What is really sent to Google, and what becomes of its answers: headers, versions, 401, 404, 409, 412, 429, the clock."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from gpujob.buckets.gcs import GoogleBucket, open_gcs
from gpujob.buckets.opening import separate_connection
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random
from gpujob.errors import Busy, CorruptRecord, Denied, NoSuchBucket, PreconditionFailed, Unavailable
from gpujob.records import Manifest, decode
from tests.contract.instant import InstantRuntime
from tests.google.imitation import BUCKET, Imitation
from tests.google.instant import InstantTurns
from tests.google.places import KEY, by_key, by_token, folder, google, login, turns, under
from tests.google.requests import Answer, Asked, Refused

__all__ = ["by_key", "by_token", "folder", "google", "login", "turns"]


@pytest.fixture
def bucket(by_key: GoogleBucket, folder: str, google: Imitation) -> Iterator[GoogleBucket]:
    google.seen.clear()
    yield under(by_key, folder)
    google.interrupt = lambda asked: None


def refusing(google: Imitation, *refusals: tuple[int, str], before: bool = True) -> None:
    """The next requests are refused like this; with `before` False, after they were done."""
    left = list(refusals)

    def interrupt(asked: Asked) -> Answer | None:
        if not left:
            return None
        if not before:
            google.service.answer(asked)
        return Refused(*left.pop(0)).answer()

    google.interrupt = interrupt


def all_verbs(bucket: GoogleBucket) -> None:
    version = bucket.create("leased/a.json", b"1")
    bucket.replace("leased/a.json", b"2", version)
    bucket.get("leased/a.json")
    bucket.head("leased/a.json")
    bucket.list("leased/")
    bucket.delete("leased/a.json")
    with bucket.download("leased/a.json"):
        pass


@pytest.mark.parametrize("access", ["by_key", "by_token"])
def test_the_headers_of_every_verb(access: str, request: pytest.FixtureRequest, google: Imitation, folder: str) -> None:
    google.seen.clear()
    all_verbs(under(request.getfixturevalue(access), folder))
    sent = [asked for asked in google.seen if asked.path != "/token"]
    assert len(sent) == 7, "one call of a verb is one request"
    for asked in sent:
        assert [name for name in asked.headers if name.startswith(("x-amz-", "if-"))] == []
        word = "GOOG4-HMAC-SHA256 " if access == "by_key" else "Bearer "
        assert asked.headers["authorization"].startswith(word)
    conditions = [asked.headers.get("x-goog-if-generation-match") for asked in sent]
    assert conditions[0] == "0" and str(conditions[1]).isdecimal() and set(conditions[2:]) == {None}


def test_a_header_of_amazons_beside_one_of_googles_is_refused(
    by_key: GoogleBucket, google: Imitation, folder: str
) -> None:
    """What an ordinary signature with Google's condition would come to: the imitation says it as the real one does."""

    def add(request: object, **_: object) -> None:
        request.headers["x-amz-meta-x"] = "1"  # type: ignore[attr-defined]

    client = by_key._place.clients.fresh()
    client.requests.meta.events.register("before-send.s3", add)
    with pytest.raises(ClientError, match="ExcessHeaderValues"):
        client.requests.put_object(Bucket=BUCKET, Key=f"{folder}/a", Body=b"", IfNoneMatch="*")


@pytest.mark.parametrize("version", ["", "0", "missing", "-1", "abc", '"5d41402abc4b2a76b9719d911017c592"', "1.5"])
def test_a_version_that_is_no_generation_is_never_a_condition(
    bucket: GoogleBucket, google: Imitation, version: str
) -> None:
    with pytest.raises(PreconditionFailed):
        bucket.replace("a", b"2", version)
    assert list(google.seen) == [], "0 would have meant: create it"


@pytest.mark.parametrize("verb", ["create", "get", "head"])
def test_an_answer_without_a_generation_is_no_answer(bucket: GoogleBucket, google: Imitation, verb: str) -> None:
    google.interrupt = lambda asked: Answer(
        200, {"ETag": '"5d41402a"', "Last-Modified": "Thu, 09 Oct 2025 08:53:13 GMT"}
    )
    with pytest.raises(Unavailable, match="names no version"):
        bucket.create("a", b"") if verb == "create" else getattr(bucket, verb)("a")


def test_an_answer_that_was_altered_on_its_way_is_not_believed(bucket: GoogleBucket, google: Imitation) -> None:
    """A generation says nothing of the body, as an ETag of S3 does: what does is the MD5 in x-goog-hash."""
    bucket.create("a", b'{"state": "succeeded"}')
    altering = [True]

    def interrupt(asked: Asked) -> Answer:
        whole = google.service.answer(asked)
        return replace(whole, body=whole.body.replace(b"eed", b"ied")) if altering and altering.pop() else whole

    google.interrupt = interrupt
    with pytest.raises(Unavailable, match="altered on its way"):
        bucket.get("a")
    found = bucket.get("a")
    assert found is not None and found.body == b'{"state": "succeeded"}'
    assert [asked.method for asked in google.seen] == ["PUT", "GET", "GET", "GET"]


def test_an_object_that_was_sent_in_parts_names_no_md5_and_is_read_all_the_same(
    bucket: GoogleBucket, google: Imitation
) -> None:
    bucket.create("a", b"body")

    def interrupt(asked: Asked) -> Answer:
        whole = google.service.answer(asked)
        return replace(whole, headers={name: value for name, value in whole.headers.items() if name != "x-goog-hash"})

    google.interrupt = interrupt
    found = bucket.get("a")
    assert found is not None and found.body == b"body"
    assert len(google.seen) == 2


def test_a_listing_without_generations_is_no_listing(bucket: GoogleBucket, google: Imitation) -> None:
    row = (
        "<Contents><Key>a</Key><Size>0</Size><ETag>x</ETag><LastModified>2025-10-09T08:53:13Z</LastModified></Contents>"
    )
    body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{row}</ListBucketResult>"
    google.interrupt = lambda asked: Answer(200, {}, body.encode())
    with pytest.raises(Unavailable, match="names no versions"):
        bucket.list("")


def test_what_google_puts_off_is_sent_again_with_the_same_condition(
    bucket: GoogleBucket, google: Imitation, turns: InstantTurns
) -> None:
    patient = RetryingBucket(bucket, turns, Random(1))
    for refusal in ((429, "SlowDown"), (409, "OperationAborted"), (503, "ServiceUnavailable")):
        google.seen.clear()
        refusing(google, refusal)
        key = f"done/{refusal[0]}.json"
        patient.create(key, b"mine")
        first, second = google.seen
        assert first.headers["x-goog-if-generation-match"] == second.headers["x-goog-if-generation-match"] == "0"
        assert first.body == second.body
    with pytest.raises(PreconditionFailed):
        patient.create("done/429.json", b"another")


def test_a_412_after_a_429_leaves_it_open(bucket: GoogleBucket, google: Imitation, turns: InstantTurns) -> None:
    refusing(google, (429, "SlowDown"), before=False)
    with pytest.raises(Unavailable, match="sent 2 times"):
        RetryingBucket(bucket, turns, Random(1)).create("done/a.json", b"mine")
    found = bucket.get("done/a.json")
    assert found is not None and found.body == b"mine", "it had landed with the first send"


def test_a_delete_of_what_is_not_there_is_success(bucket: GoogleBucket, google: Imitation) -> None:
    bucket.delete("leased/none.json")
    assert [asked.method for asked in google.seen] == ["DELETE"]
    refusing(google, (404, "NoSuchBucket"))
    with pytest.raises(NoSuchBucket):
        bucket.delete("leased/none.json")


def test_beats_have_connections_of_their_own_and_wait_for_the_same_turns(
    bucket: GoogleBucket, google: Imitation
) -> None:
    beats = separate_connection(bucket)
    assert isinstance(beats, GoogleBucket) and beats is not bucket
    version = bucket.create("leased/a.json", b"0")
    for beat in range(5):
        version = beats.replace("leased/a.json", b"%d" % beat, version)
    assert google.service.turnstile.put_off == 0, "no request met another of this process"


def test_a_refusal_for_the_clock_teaches_googles_time(google: Imitation, folder: str) -> None:
    before, google.service.now = google.service.now, lambda: time.time() + 86_400
    try:
        bucket = open_gcs(BUCKET, folder, runtime=InstantTurns(), access=KEY, endpoint_url=google.endpoint)
        with pytest.raises(Busy, match="this machine's clock"):
            bucket.create("a", b"")
        assert bucket.create("a", b"") and bucket.fresh_connection().head("a") is not None
    finally:
        google.service.now = before


def test_a_token_that_was_withdrawn_is_renewed_once(by_token: GoogleBucket, google: Imitation, folder: str) -> None:
    bucket = under(by_token, folder)
    bucket.create("a", b"")
    given = google.service.tokens.given
    google.service.tokens.revoke_all()
    with pytest.raises(Busy, match="token had ended"):
        bucket.create("b", b"")
    assert bucket.create("b", b"") and google.service.tokens.given == given + 1
    refusing(google, (401, "AuthenticationRequired"), (401, "AuthenticationRequired"))
    try:
        with pytest.raises(Denied, match="does not take this token") as caught:
            bucket.create("c", b"")
        assert "Log in again" in str(caught.value.hint)
    finally:
        google.interrupt = lambda asked: None


def test_one_change_of_a_name_waits_for_the_other(google: Imitation, folder: str) -> None:
    runtime = InstantRuntime()
    bucket = open_gcs(BUCKET, folder, runtime=runtime, access=KEY, endpoint_url=google.endpoint)
    with google.service.turnstile.open():
        version = bucket.create("a", b"")
        bucket.replace("a", b"", version)
        bucket.create("b", b"")
    assert runtime.naps == [1.0]


@pytest.mark.parametrize("access", ["by_key", "by_token"])
def test_an_object_that_was_stored_as_gzip_comes_as_it_was_stored(
    access: str, request: pytest.FixtureRequest, google: Imitation, folder: str
) -> None:
    """Google unpacked it on its way and said no length: a KeyError, which ended every worker that met the object."""
    bucket = under(request.getfixturevalue(access), folder)
    packed = gzip.compress(b'{"protocol": 1}')
    google.service.buckets[BUCKET].objects.slip_in(f"{folder}/a", packed, "gzip")
    found, head = bucket.get("a"), bucket.head("a")
    assert found is not None and (found.body, found.size_bytes) == (packed, len(packed))
    assert head is not None and (head.version, head.size_bytes) == (found.version, len(packed))
    with bucket.download("a", offset=5) as chunks:
        assert chunks is not None and b"".join(chunks) == packed[5:]
    with pytest.raises(CorruptRecord):
        decode(Manifest, "a", found.body)


@pytest.mark.parametrize("verb", ["get", "head"])
def test_an_answer_of_unknown_length_is_no_answer(bucket: GoogleBucket, google: Imitation, verb: str) -> None:
    bucket.create("a", b"1")
    google.interrupt = lambda asked: replace(google.service.answer(asked), of_unknown_length=True)
    with pytest.raises(Unavailable, match="how long"):
        getattr(bucket, verb)("a")
