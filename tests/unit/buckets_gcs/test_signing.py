"""GOOG4-HMAC-SHA256 against vectors that were made from Google's documentation with `openssl dgst`, without our code."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gpujob.buckets.gcs_signing import OFFSET, TOKEN, Goog4Auth, TokenAuth

HOST = "https://storage.googleapis.com"
ACCESS_ID = "GOOGTS7C7FUP3AIRVJTE2BCD"
SECRET = "bGoa+V7g/yqDXvKRqq+JTFn4uQZbPiQJo4pf9RzJ"
MOMENT = datetime.datetime(2019, 12, 1, 19, 8, 59, tzinfo=datetime.UTC)
SCOPE = f"{ACCESS_ID}/20191201/auto/storage/goog4_request"

PUT: dict[str, Any] = {
    "method": "PUT",
    "url": f"{HOST}/queue/team/a/leased/01%20a.json",
    "data": b'{"nonce": "a"}',
    "headers": {"Content-Type": "application/json", "x-goog-if-generation-match": "1710000000000001"},
}
LIST: dict[str, Any] = {
    "method": "GET",
    "url": f"{HOST}/queue?prefix=pending%2F5%2F&list-type=2&max-keys=7&encoding-type=url",
}
BEGIN: dict[str, Any] = {
    "method": "POST",
    "url": f"{HOST}/queue/artifacts/a.bin?uploads",
    "headers": {"Content-Type": "audio/wav"},
}


@pytest.fixture(autouse=True)
def at_that_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "get_current_datetime", lambda: MOMENT)


def signed(request: AWSRequest, **context: object) -> AWSRequest:
    request.context.update(context)
    Goog4Auth(Credentials(ACCESS_ID, SECRET), "s3", "auto").add_auth(request)
    return request


@pytest.mark.parametrize(
    ("request_", "headers", "signature"),
    [
        (
            PUT,
            "content-type;host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match",
            "b4742314989b443d27f02973d5819dce55b9eb5920f81f6a2b52d30f65dafecb",
        ),
        (
            LIST,
            "host;x-goog-content-sha256;x-goog-date",
            "2d441ccd7c570733d9a56515b78c37805b8f6f0b5c2653e53128da4975da5685",
        ),
        (
            BEGIN,
            "content-type;host;x-goog-content-sha256;x-goog-date",
            "fa25ed5d1067f6a91fdc427421a71a0e2d7e2b6f9c6ee1be70b9628b506231a0",
        ),
    ],
    ids=["put", "list", "begin"],
)
def test_signatures_are_those_of_the_documentation(request_: dict[str, Any], headers: str, signature: str) -> None:
    request = signed(AWSRequest(**request_))
    assert request.headers["x-goog-date"] == "20191201T190859Z"
    said = f"GOOG4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={headers}, Signature={signature}"
    assert request.headers["Authorization"] == said


def test_what_travels_unsigned_may_be_rewritten_on_the_way() -> None:
    plain, dressed = AWSRequest(**PUT), AWSRequest(**PUT)
    for name in ("Accept-Encoding", "User-Agent", "Expect", "Range"):
        dressed.headers[name] = "anything"
    assert signed(plain).headers["Authorization"] == signed(dressed).headers["Authorization"]


def test_nothing_of_amazons_is_left() -> None:
    request = AWSRequest(**PUT)
    for name in (
        "X-Amz-Date",
        "x-amz-content-sha256",
        "X-Amz-Security-Token",
        "amz-sdk-request",
        "Amz-Sdk-Invocation-Id",
    ):
        request.headers[name] = "left over"
    for sign in (signed, lambda one: TokenAuth(None).add_auth(one)):
        request.context[TOKEN] = "a-token"
        sign(request)
        assert [name for name in request.headers if "amz" in name.lower()] == []
        assert len(request.headers.get_all("Authorization")) == 1
    assert request.headers["Authorization"] == "Bearer a-token"


def test_a_second_send_is_signed_anew_and_for_the_stores_clock() -> None:
    request = signed(AWSRequest(**PUT))
    first = request.headers["Authorization"]
    signed(request, **{OFFSET: 86_400.0 * 3})
    assert request.headers.get_all("x-goog-date") == ["20191204T190859Z"]
    assert "/20191204/auto/" in request.headers["Authorization"] != first
