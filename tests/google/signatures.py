"""The imitation's own check of both kinds of HMAC signatures, from Google's documentation and not from botocore's code.

Sources: https://cloud.google.com/storage/docs/authentication/signatures, .../canonical-requests, and for AWS4 .../docs/aws-
simple-migration. Invariant: a request passes only if every header that must be signed is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from tests.google.requests import Asked, Refused

SKEW_S = 15 * 60
_FIELDS = re.compile(r"Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})")


@dataclass(frozen=True)
class Scheme:
    """The words of one kind of signature."""

    seed: str
    service: str
    terminator: str
    family: str  # its headers begin with this


SCHEMES = {
    "GOOG4-HMAC-SHA256": Scheme("GOOG4", "storage", "goog4_request", "x-goog-"),
    "AWS4-HMAC-SHA256": Scheme("AWS4", "s3", "aws4_request", "x-amz-"),
}


def check(asked: Asked, secrets: Mapping[str, str], now: float) -> None:
    """Raises Refused unless the request was signed by one of these keys, now, with this body."""
    algorithm, _, rest = asked.headers.get("authorization", "").partition(" ")
    scheme, found = SCHEMES.get(algorithm), _FIELDS.fullmatch(rest.strip())
    if scheme is None or found is None:
        raise Refused(400, "InvalidAuthenticationInfo", "The Authorization header cannot be read.")
    access_id, scope = found[1].split("/", 1)
    date, _, service, terminator = [*scope.split("/"), "", "", "", ""][:4]
    if (service, terminator) != (scheme.service, scheme.terminator):
        raise Refused(400, "AuthorizationHeaderMalformed", f"The scope {scope} is not one of {algorithm}.")
    if access_id not in secrets:
        raise Refused(403, "InvalidAccessKeyId", "The access key is not known.")
    stamp = asked.headers.get(f"{scheme.family}date", "")
    _check_moment(stamp, date, now)
    signed = found[2].split(";")
    _check_coverage(asked, signed, scheme)
    payload = _check_payload(asked, scheme)
    text = canonical(asked, signed, payload)
    key = f"{scheme.seed}{secrets[access_id]}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    to_sign = "\n".join((algorithm, stamp, scope, hashlib.sha256(text.encode()).hexdigest()))
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), found[3]):
        raise Refused(403, "SignatureDoesNotMatch", "Access denied.")


def canonical(asked: Asked, signed: list[str], payload: str) -> str:
    """The canonical request: everything decoded and encoded anew, so that only one spelling passes."""
    pairs = [pair.partition("=") for pair in asked.query.split("&") if pair]
    query = "&".join(sorted(f"{_encoded(unquote(name))}={_encoded(unquote(value))}" for name, _, value in pairs))
    lines = "".join(f"{name}:{' '.join(_as_seen(asked, name).split())}\n" for name in signed)
    path = "/".join(_encoded(unquote(part)) for part in asked.path.split("/"))
    return "\n".join((asked.method, path, query, lines, ";".join(signed), payload))


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _as_seen(asked: Asked, name: str) -> str:
    """A header as it comes out of Google's front end, which rewrites one of them."""
    return asked.headers[name] + (",gzip(gfe)" if name == "accept-encoding" else "")


def _check_moment(stamp: str, date: str, now: float) -> None:
    try:
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Refused(403, "AccessDenied", "The request has no date that can be read.") from None
    if abs(moment - now) > SKEW_S:
        raise Refused(403, "RequestTimeTooSkewed", "The difference between the clocks is too large.")
    if stamp[:8] != date:
        raise Refused(403, "SignatureDoesNotMatch", "The scope is of another day.")


def _check_coverage(asked: Asked, signed: list[str], scheme: Scheme) -> None:
    if signed != sorted(signed) or not set(signed) <= set(asked.headers):
        raise Refused(403, "SignatureDoesNotMatch", "The signed headers are not in order, or not there.")
    must = {"host"} | {name for name in asked.headers if name.startswith(scheme.family)}
    if not must <= set(signed):
        raise Refused(403, "SignatureDoesNotMatch", f"Not signed: {sorted(must - set(signed))}.")


def _check_payload(asked: Asked, scheme: Scheme) -> str:
    claimed = asked.headers.get(f"{scheme.family}content-sha256", "")
    if claimed != "UNSIGNED-PAYLOAD" and claimed != hashlib.sha256(asked.body).hexdigest():
        raise Refused(400, "ContentSHA256Mismatch", "The body is not the one that was signed.")
    return claimed
