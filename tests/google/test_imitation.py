"""The imitation bites: what the real service refuses, it refuses, and what that ignores, it ignores."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from tests.google import signatures
from tests.google.objects import Objects, Turnstile
from tests.google.requests import Answer, Asked, Refused
from tests.google.service import Service

NOW = 1_575_227_339.0  # 2019-12-01 19:08:59
SECRET = "bGoa+V7g/yqDXvKRqq+JTFn4uQZbPiQJo4pf9RzJ"
ACCESS_ID = "GOOGTS7C7FUP3AIRVJTE2BCD"
# Signed with `openssl dgst` from the documentation alone; the same as in tests/unit/buckets_gcs/test_signing.py.
LIST = Asked(
    "GET",
    "/queue",
    "prefix=pending%2F5%2F&list-type=2&max-keys=7&encoding-type=url",
    {
        "host": "storage.googleapis.com",
        "x-goog-date": "20191201T190859Z",
        "x-goog-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "authorization": f"GOOG4-HMAC-SHA256 Credential={ACCESS_ID}/20191201/auto/storage/goog4_request, "
        "SignedHeaders=host;x-goog-content-sha256;x-goog-date, "
        "Signature=2d441ccd7c570733d9a56515b78c37805b8f6f0b5c2653e53128da4975da5685",
    },
    b"",
)


def changed(**headers: str) -> Asked:
    return replace(LIST, headers={**LIST.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})


def test_a_signature_made_by_hand_passes() -> None:
    signatures.check(LIST, {ACCESS_ID: SECRET}, NOW)
    signatures.check(LIST, {ACCESS_ID: SECRET}, NOW + 800)


@pytest.mark.parametrize(
    ("asked", "secret", "now", "code"),
    [
        (LIST, "another secret", NOW, "SignatureDoesNotMatch"),
        (LIST, SECRET, NOW + 1000, "RequestTimeTooSkewed"),
        (replace(LIST, path="/other"), SECRET, NOW, "SignatureDoesNotMatch"),
        (replace(LIST, query="prefix=done%2F"), SECRET, NOW, "SignatureDoesNotMatch"),
        (replace(LIST, method="DELETE"), SECRET, NOW, "SignatureDoesNotMatch"),
        (replace(LIST, body=b"x"), SECRET, NOW, "ContentSHA256Mismatch"),
        (changed(x_goog_if_generation_match="0"), SECRET, NOW, "SignatureDoesNotMatch"),
        (changed(authorization="Basic eDp5"), SECRET, NOW, "InvalidAuthenticationInfo"),
    ],
)
def test_anything_else_does_not(asked: Asked, secret: str, now: float, code: str) -> None:
    with pytest.raises(Refused) as refused:
        signatures.check(asked, {ACCESS_ID: secret}, now)
    assert refused.value.code == code


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """The imitation without its sockets, for a caller that is already known."""
    monkeypatch.setattr(signatures, "check", lambda *_: None)
    service = Service({}, lambda: NOW, Turnstile(interval_s=0.0))
    service.make_bucket("b")
    return service


def ask(service: Service, method: str, path: str, query: str = "", **headers: str) -> tuple[int, str]:
    """The status, and the generation or the error's body."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = service.answer(Asked(method, path, query, {"authorization": "x", "content-length": "1"} | given, b"1"))
    return answer.status, answer.headers.get("x-goog-generation", answer.body.decode())


def test_s3s_conditions_are_ignored_without_a_word(service: Service) -> None:
    assert ask(service, "PUT", "/b/k")[0] == 200
    assert ask(service, "PUT", "/b/k", if_none_match="*")[0] == 200
    assert ask(service, "PUT", "/b/k", if_match='"nonsense"')[0] == 200
    assert ask(service, "DELETE", "/b/k", if_match='"nonsense"')[0] == 204


def test_googles_conditions_hold(service: Service) -> None:
    status, first = ask(service, "PUT", "/b/k", x_goog_if_generation_match="0")
    assert status == 200
    assert ask(service, "PUT", "/b/k", x_goog_if_generation_match="0")[0] == 412
    status, second = ask(service, "PUT", "/b/k", x_goog_if_generation_match=first)
    assert status == 200 and second != first
    assert ask(service, "PUT", "/b/k", x_goog_if_generation_match=first)[0] == 412
    assert ask(service, "DELETE", "/b/k", x_goog_if_generation_match=first)[0] == 412
    assert ask(service, "PUT", "/b/other", x_goog_if_generation_match=first)[0] == 412
    assert ask(service, "PUT", "/b/k", x_goog_if_generation_match="soon")[0] == 400


def test_gzip_is_unpacked_for_whoever_does_not_accept_it(service: Service) -> None:
    packed = gzip.compress(b"text")
    service.buckets["b"].objects.slip_in("k", packed, "gzip")

    def read(**headers: str) -> Answer:
        return service.answer(Asked("GET", "/b/k", "", {"authorization": "x"} | headers, b""))

    unpacked = read(**{"accept-encoding": "identity", "range": "bytes=2-"})
    assert (unpacked.body, unpacked.of_unknown_length, unpacked.status) == (b"text", True, 200)
    as_it_is = read(**{"accept-encoding": "gzip"})
    assert (as_it_is.body, as_it_is.of_unknown_length) == (packed, False)
    assert as_it_is.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "said"),
    [
        ("PUT", "/b/k", "", {"x_amz_date": "1", "x_goog_if_generation_match": "0"}, "400 ExcessHeaderValues"),
        ("POST", "/b", "delete", {}, "400 InvalidArgument"),
        ("POST", "/b/k", "uploads", {"x_goog_if_generation_match": "0"}, "400 NotImplemented"),
        ("DELETE", "/b/none", "", {}, "404 NoSuchKey"),
        ("GET", "/b/none", "", {}, "404 NoSuchKey"),
        ("GET", "/none/k", "", {}, "404 NoSuchBucket"),
        ("PUT", "/b/k", "", {"authorization": "Bearer made-up"}, "401 AuthenticationRequired"),
        ("PUT", "/new", "", {"authorization": "Bearer made-up"}, "401 AuthenticationRequired"),
        ("PUT", "/b/k", "", {"content_md5": "AAAA"}, "400 BadDigest"),
    ],
)
def test_what_is_refused(
    service: Service, method: str, path: str, query: str, headers: dict[str, str], said: str
) -> None:
    status, body = ask(service, method, path, query, **headers)
    assert f"{status} " == said[:4] and f"<Code>{said[4:]}</Code>" in body


def test_one_change_of_a_name_a_second() -> None:
    moment = [100.0]
    objects = Objects(lambda: NOW, Turnstile(clock=lambda: moment[0]), busy_first=True)
    objects.put("k", b"", "", 0)
    objects.put("another", b"", "", 0)
    for change in (
        lambda: objects.put("k", b"", "", None),
        lambda: objects.delete("k", None),
        lambda: objects.put("k", b"", "", 0),
    ):
        with pytest.raises(Refused) as refused:
            change()
        assert refused.value.status == 429
    moment[0] += 1
    with pytest.raises(Refused) as lost:
        objects.put("k", b"", "", 0)
    assert lost.value.status == 412, "a refused write is no change"
    objects.delete("k", None)
