"""Two ways to sign a request to Google Cloud Storage's XML API: with an HMAC key, and with an OAuth token.

Invariant: no header of Amazon's leaves a signer. Google answers 400 (ExcessHeaderValues) where `x-amz-*` and `x-goog-*`
meet in one request, and only `x-goog-*` headers carry the conditions that a queue stands on.

Sources: https://cloud.google.com/storage/docs/authentication/signatures and .../canonical-requests; that all `x-goog-*`
headers must be signed, and that `accept-encoding` must not be, because Google's front end rewrites it, is reported.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, BaseSigner, S3SigV4Auth

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from botocore.awsrequest import AWSRequest

HMAC_SIGNER = "gpujob-goog4"
TOKEN_SIGNER = "gpujob-google-token"
OFFSET = "gpujob_offset_s"  # in a request's context: how far the store's clock is ahead
TOKEN = "gpujob_token"  # in a request's context: the OAuth token

ALGORITHM = "GOOG4-HMAC-SHA256"
LOCATION, SERVICE, TERMINATOR = "auto", "storage", "goog4_request"
_SIGNED = frozenset({"host", "content-type", "content-md5"})
_SHA256 = "x-goog-content-sha256"


class Goog4Auth(S3SigV4Auth):
    """GOOG4-HMAC-SHA256: version 4 of Amazon's signature with Google's words, for the store's clock."""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        remove_amazons(request)
        context: dict[str, Any] = request.context
        local = datetime.datetime.strptime(context["timestamp"], SIGV4_TIMESTAMP)  # noqa: DTZ007  # UTC in and out
        shifted = local + datetime.timedelta(seconds=context.get(OFFSET, 0.0))
        context["timestamp"] = shifted.strftime(SIGV4_TIMESTAMP)
        for name, value in (("x-goog-date", context["timestamp"]), (_SHA256, super().payload(request))):
            del request.headers[name]
            request.headers[name] = value

    def payload(self, request: AWSRequest) -> str:
        return str(request.headers[_SHA256])

    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        headers = super().headers_to_sign(request)
        for name in {name.lower() for name in headers}:
            if name not in _SIGNED and not name.startswith("x-goog-"):
                del headers[name]
        return headers

    def scope(self, request: AWSRequest) -> str:
        return f"{self.credentials.access_key}/{self.credential_scope(request)}"

    def credential_scope(self, request: AWSRequest) -> str:
        return "/".join((request.context["timestamp"][:8], LOCATION, SERVICE, TERMINATOR))

    def string_to_sign(self, request: AWSRequest, canonical_request: str) -> str:
        return super().string_to_sign(request, canonical_request).replace("AWS4-HMAC-SHA256", ALGORITHM, 1)

    def signature(self, string_to_sign: str, request: AWSRequest) -> str:
        key = f"GOOG4{self.credentials.secret_key}".encode()
        for word in self.credential_scope(request).split("/"):
            key = self._sign(key, word)  # type: ignore[attr-defined]  # the stubs leave it out
        return str(self._sign(key, string_to_sign, hex=True))  # type: ignore[attr-defined]

    def _inject_signature_to_request(self, request: AWSRequest, signature: str) -> AWSRequest:
        signed = self.signed_headers(self.headers_to_sign(request))
        parts = f"Credential={self.scope(request)}, SignedHeaders={signed}, Signature={signature}"
        request.headers["Authorization"] = f"{ALGORITHM} {parts}"
        return request


class TokenAuth(BaseSigner):
    """`Authorization: Bearer` with the token in the request's context."""

    REQUIRES_REGION = False

    def __init__(self, credentials: object) -> None:
        """Takes the credentials that botocore hands to every signer, and needs none."""

    def add_auth(self, request: AWSRequest) -> None:
        remove_amazons(request)
        request.headers["Authorization"] = f"Bearer {request.context[TOKEN]}"


def remove_amazons(request: AWSRequest) -> None:
    """Takes out what belongs to Amazon's dialect, and the signature of an earlier send."""
    for name in {name.lower() for name in request.headers}:
        if name.startswith(("x-amz-", "amz-sdk-")) or name == "authorization":
            del request.headers[name]


AUTH_TYPE_MAPS[HMAC_SIGNER] = Goog4Auth
AUTH_TYPE_MAPS[TOKEN_SIGNER] = TokenAuth
