"""The bucket of gs:// keeps the contract on our own imitation of Google Cloud Storage (`tests/google`), by key and by token.

Invariant: the imitation is as strict as can be (one change of a name a second, exactly); the waits that it causes are
instant. That it bites is shown by the last tests: S3's own conditions lose on it.
"""

from __future__ import annotations

import os
from pathlib import Path

import boto3.session
import pytest

from gpujob.buckets.base import Bucket
from gpujob.buckets.gcs import ADVICE, GoogleBucket, open_gcs
from gpujob.buckets.gcs_login import HmacKey
from gpujob.buckets.gcs_pace import Pace
from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.buckets.s3_place import S3Place
from gpujob.chance import Random
from gpujob.clock import SYSTEM
from gpujob.errors import Denied, NoSuchBucket, PreconditionFailed
from gpujob.probe import Verdict, probe
from gpujob.testing.bucket_contract import BackDoor, BucketContract
from gpujob.testing.bucket_races import RaceContract
from gpujob.testing.bucket_streams import StreamContract
from gpujob.testing.bucket_verbs import VerbContract
from gpujob.testing.races import decided, race
from tests.google.imitation import ACCESS_ID, BUCKET, SECRET, Imitation, imitation
from tests.google.instant import InstantTurns
from tests.google.places import KEY, ObjectsBackDoor, by_key, by_token, folder, google, login, turns, under
from tests.sizing import pick

__all__ = ["by_key", "by_token", "folder", "google", "login", "turns"]


class OnImitation(BucketContract):
    rounds = pick(quick=3, full=2)  # five times that at full size; all of it is Python on one processor
    racers = 8
    many_keys = 1010

    @pytest.fixture
    def back_door(self, google: Imitation, folder: str) -> BackDoor:
        return ObjectsBackDoor(google, folder + "/")


class TestByKey(OnImitation):
    @pytest.fixture
    def bucket(self, by_key: GoogleBucket, folder: str) -> Bucket:
        return under(by_key, folder)


class TestByToken(VerbContract, StreamContract, RaceContract):
    rounds = 1
    racers = 8

    @pytest.fixture
    def bucket(self, by_token: GoogleBucket, folder: str) -> Bucket:
        return under(by_token, folder)

    @pytest.fixture
    def back_door(self, google: Imitation, folder: str) -> BackDoor:
        return ObjectsBackDoor(google, folder + "/")


@pytest.fixture(params=["by_key", "by_token"])
def bucket(request: pytest.FixtureRequest, folder: str) -> GoogleBucket:
    return under(request.getfixturevalue(request.param), folder)


def test_listings_name_the_same_versions_as_reads(bucket: GoogleBucket) -> None:
    keys = ["done/a b+c.json", "done/\u00e4&<.json", "done/z"]
    versions = {key: bucket.create(key, key.encode()) for key in keys}
    assert {entry.key: entry.version for entry in bucket.list("done/").entries} == versions
    head = bucket.head(keys[0])
    assert head is not None and head.version == versions[keys[0]] and head.version.isdecimal()
    for entry in bucket.list("done/").entries:
        bucket.replace(entry.key, b"new", entry.version)


def test_a_large_file_travels_in_parts(bucket: GoogleBucket, google: Imitation, folder: str, tmp_path: Path) -> None:
    body = os.urandom(1 << 20) * 11
    (tmp_path / "large").write_bytes(body)
    bucket.upload("artifacts/large.bin", tmp_path / "large", media_type="audio/wav")
    stored = google.service.make_bucket(BUCKET).objects.get(f"{folder}/artifacts/large.bin")
    assert stored is not None and stored.body == body and stored.media_type == "audio/wav"
    assert [asked.query for asked in google.seen][-1].startswith("uploadId=")
    with bucket.download("artifacts/large.bin", offset=len(body) - 5) as chunks:
        assert chunks is not None and b"".join(chunks) == body[-5:]
    with pytest.raises(PreconditionFailed):
        bucket.create("artifacts/large.bin", b"")


def test_a_missing_bucket_and_a_refused_one_are_said(google: Imitation) -> None:
    with pytest.raises(NoSuchBucket, match="no bucket for gs://not-there") as missing:
        open_gcs("not-there", access=KEY, endpoint_url=google.endpoint).list("")
    assert "gpujob init gs://not-there" in str(missing.value.hint)
    for key, words in (
        (HmacKey("GOOGNOBODY", SECRET, ""), "does not know"),
        (HmacKey(ACCESS_ID, "no", ""), "secret key"),
    ):
        with pytest.raises(Denied, match=words) as refused:
            open_gcs(BUCKET, access=key, endpoint_url=google.endpoint).create("a", b"")
        assert "gcloud" in str(refused.value.hint) and SECRET not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize("access", ["by_key", "by_token"])
def test_a_bucket_was_asked_for_in_a_place_called_auto(
    access: str, request: pytest.FixtureRequest, google: Imitation
) -> None:
    """The signature's region is `auto`, which is no location of a bucket: none is named, so Google takes its default."""
    made = request.getfixturevalue(access)
    place = S3Place(made.place.clients, f"made-{access.replace('_', '-')}", "queue", scheme="gs", advice=ADVICE)
    bucket = GoogleBucket(place, Pace(SYSTEM))
    assert (bucket.create_bucket(), bucket.create_bucket()) == (True, False)
    asked = next(one for one in reversed(google.seen) if one.method == "PUT")
    assert asked.headers.get("x-goog-project-id", "") == ("imitation" if access == "by_token" else "")
    assert bucket.create("queue.json", b"{}")


def judged(bucket: Bucket, turns: InstantTurns) -> Verdict:
    return probe(bucket, runtime=turns, rng=Random(1), rounds=pick(quick=3, full=20))


@pytest.mark.parametrize("busy_first", [True, False])
def test_the_probe_finds_it_safe(busy_first: bool) -> None:
    turns = InstantTurns()
    with imitation(turnstile=turns.turnstile, busy_first=busy_first) as served:
        verdict = judged(open_gcs(BUCKET, runtime=turns, access=KEY, endpoint_url=served.endpoint), turns)
        assert verdict.safe, verdict.reason
        assert served.service.make_bucket(BUCKET).objects.names() == []


# ------------------------------------------------- the control: with S3's own conditions the imitation loses, as the real one


@pytest.fixture
def as_s3(google: Imitation, folder: str) -> S3Bucket:
    """The plain S3 bucket, AWS4 signatures and all, on a name that it does not know for Google's."""
    session = boto3.session.Session(ACCESS_ID, SECRET, region_name="us-east-1")
    return open_s3(BUCKET, folder, session=session, endpoint_url=google.endpoint)


def test_s3s_conditions_are_refused_by_the_probe(as_s3: S3Bucket, google: Imitation) -> None:
    with google.service.turnstile.open():
        verdict = probe(as_s3, runtime=InstantTurns(), rng=Random(1), rounds=1)
    assert not verdict.safe and "overwrites an object that should be created only if absent" in str(verdict.reason)


def test_a_race_by_s3s_conditions_has_several_winners(as_s3: S3Bucket, google: Imitation) -> None:
    with google.service.turnstile.open():
        (told,) = race(8, 1, lambda number, racer: decided(lambda: as_s3.create("done/one.json", b"%d" % racer)))
    assert sum(version is not None for version in told) == 8, "every writer was told that it had won"
