"""Objects that the store hands out to nobody: each is a corrupt record of its own, and no fault of the credentials."""

from __future__ import annotations

import pytest

from gpujob.buckets.s3 import S3Bucket
from gpujob.errors import Busy, Configuration, CorruptRecord, Denied, GpujobError, Unavailable
from tests.unit.buckets_s3.canned import Answer, Canned, error, stored
from tests.unit.buckets_s3.test_mapping import VERBS

DECRYPT = "User: arn:aws:iam::1:user/w is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"


def refused(status: int, code: str, message: str = "as told") -> Answer:
    """A refusal in the store's words."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


WITHHELD = [
    refused(403, "InvalidObjectState", "The operation is not valid for the object's storage class"),
    refused(400, "InvalidRequest", "The object was stored using a form of Server Side Encryption."),
    refused(400, "KMS.DisabledException", "arn:aws:kms:eu-west-1:1:key/2 is disabled."),
    refused(400, "KMS.NotFoundException"),
    refused(403, "AccessDenied", DECRYPT),
    refused(400, "ResourceIsEncryptedWithCustomerEncryptionKey"),
    refused(400, "CloudKmsDisabledKey"),
]


@pytest.mark.parametrize("verb", ["get", "download"])
@pytest.mark.parametrize("answer", WITHHELD)
def test_an_object_that_the_store_withholds_is_a_corrupt_record(
    server: Canned, bucket: S3Bucket, verb: str, answer: Answer
) -> None:
    """It was Denied or Configuration, which end a worker: one object ended all of them."""
    server.answers = [answer]
    with pytest.raises(CorruptRecord, match="k: the store does not hand it out"):
        VERBS[verb](bucket)
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", WITHHELD)
def test_a_head_that_is_refused_without_a_word_is_asked_again_by_get(
    server: Canned, bucket: S3Bucket, answer: Answer
) -> None:
    server.answers = [error(answer.status)] * (2 if answer.status == 400 else 1) + [answer]  # one asks for the region
    with pytest.raises(CorruptRecord, match="k: the store does not hand it out"):
        bucket.head("k")
    assert server.requests[-1].headers["range"] == "bytes=0-0"


def test_a_head_that_is_refused_stays_refused_where_a_get_is_too(server: Canned, bucket: S3Bucket) -> None:
    server.answers = [error(403), refused(403, "AccessDenied", "Access Denied")]
    with pytest.raises(Denied, match="an answer to HEAD does not say why"):
        bucket.head("k")
    server.answers = [error(403), stored(b"x")]
    with pytest.raises(Denied):
        bucket.head("k")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refused(403, "AccessDenied", "Access Denied"), Denied),
        (refused(403, "InvalidAccessKeyId"), Denied),
        (refused(400, "InvalidArgument"), Configuration),
        (refused(400, "KMS.ThrottlingException"), Busy),
        (refused(500, "KMS.KMSInternalException"), Unavailable),
    ],
)
def test_what_is_no_single_objects_trouble_is_said_at_once(
    server: Canned, bucket: S3Bucket, answer: Answer, expected: type[GpujobError]
) -> None:
    server.answers = [answer]
    with pytest.raises(GpujobError) as caught:
        bucket.get("k")
    assert caught.type is expected


@pytest.mark.parametrize("verb", ["list", "create", "replace", "upload", "delete"])
def test_a_write_or_a_listing_that_is_refused_in_those_words_is_no_object(
    server: Canned, bucket: S3Bucket, verb: str
) -> None:
    for answer in WITHHELD:
        server.answers = [answer]
        with pytest.raises(Configuration):
            VERBS[verb](bucket)


def test_an_answer_without_length_or_time_is_no_answer(server: Canned, bucket: S3Bucket) -> None:
    """It was a KeyError, which ended the worker."""
    answer = stored(b"x")
    del answer.headers["Last-Modified"]
    server.answers = [answer]
    for verb in ("get", "head"):
        with pytest.raises(Unavailable, match="since when it stands"):
            VERBS[verb](bucket)
    row = b"<Contents><Key>team/a/k</Key><ETag>1</ETag></Contents>"
    page = b"<ListBucketResult><IsTruncated>false</IsTruncated>" + row + b"</ListBucketResult>"
    server.answers = [Answer(200, page)]
    with pytest.raises(Unavailable, match="since when it stands"):
        bucket.list("")
