"""From what boto3 raises to what a bucket's verbs raise, each with a sentence that says where and what next.

Invariant: an error whose effect is not known to be nothing is never reported as `Busy` or `PreconditionFailed`;
when in doubt it is `Unavailable`. No message holds a key, a secret or a signed header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from gpujob.buckets.s3_clock import SKEW_CODES
from gpujob.errors import (
    Busy,
    Configuration,
    CorruptRecord,
    Denied,
    GpujobError,
    NoSuchBucket,
    PreconditionFailed,
    Unavailable,
    UnsafeStore,
)

BUSY_STATUS = frozenset({409, 429, 503})
BUSY_CODES = frozenset({"SlowDown", "ServiceUnavailable", "Throttling", "TooManyRequests", "OperationAborted"})
# What arrived is not what was sent, so nothing was written; the same request may fare better.
ALTERED_CODES = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
# An object's own trouble: its storage class (GLACIER), a key of its writer's (SSE-C), a key that nobody may use (KMS).
WITHHELD_CODES = frozenset({"InvalidObjectState", "InvalidRequest", "ResourceIsEncryptedWithCustomerEncryptionKey"})
KMS_CODES = ("KMS.", "Kms", "CloudKms")
KMS_PASSING = ("Throttling", "LimitExceeded", "Timeout", "Internal", "KeyUnavailable")
_DECRYPTING = re.compile(r"\bkms:Decrypt\b|\bcloudkms\.", re.IGNORECASE)
REGION_CODES = frozenset({"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"})


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next, in the words of one kind of store."""

    set_keys: str
    log_in: str
    allow: str
    unreachable: str


AMAZON = Advice(
    set_keys="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; `gpujob doctor` shows what is used.",
    log_in="Log in again for fresh credentials.",
    allow="Give the user the policy that `gpujob init URL --policies` prints, or use credentials that have it.",
    unreachable="Is the server running, and is AWS_ENDPOINT_URL_S3 (or the profile's endpoint_url) right?",
)

_DENIED: dict[str, tuple[str, Literal["set_keys", "log_in", "allow"]]] = {
    "InvalidAccessKeyId": ("it does not know this access key", "set_keys"),
    "InvalidSecurity": ("it does not know this access key", "set_keys"),
    "SignatureDoesNotMatch": ("the secret key does not belong to the access key", "set_keys"),
    "AuthenticationRequired": ("it does not take this token", "log_in"),
    "ExpiredToken": ("the session has expired", "log_in"),
    "TokenRefreshRequired": ("the session has expired", "log_in"),
    "InvalidToken": ("the session token is not valid", "log_in"),
    "AccessDenied": ("the credentials are known, but they do not allow this", "allow"),
}
_DENIED_SILENTLY = (
    "an answer to HEAD does not say why",
    (
        "Check the credentials and the user's policy (`gpujob init URL --policies` prints one). "
        "Without the right to list the bucket, AWS answers 403 for an object that is merely missing."
    ),
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.SSOError,
)
_UNREACHABLE = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
_IN_DOUBT = (boto.HTTPClientError, boto.IncompleteReadError, boto.ConnectionError)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was asked of the store, for the sentence; `replaces` when a 404 means that somebody else decided."""

    verb: str
    key: str
    url: str
    endpoint: str
    replaces: bool = False
    advice: Advice = AMAZON

    def __str__(self) -> str:
        what = f"{self.verb} {self.key} in {self.url}" if self.key else f"{self.verb} {self.url}"
        return f"{what} at {self.endpoint}"


def missing(error: ClientError) -> bool:
    """Whether the answer says that the object (not the bucket) does not exist."""
    return status_of(error) == 404 and code_of(error) != "NoSuchBucket"


def withheld(error: ClientError, sent: Sent) -> GpujobError | None:
    """The error for a read of one object that the store hands out to nobody; None where an answer says something else."""
    status, code = status_of(error), code_of(error)
    if sent.verb not in ("GET", "HEAD") or not sent.key or status >= 500:
        return None
    kms = code.startswith(KMS_CODES)
    if kms and any(word in code for word in KMS_PASSING):
        return Busy(f"The store put off {sent}: {status} {code}.")
    if kms or code in WITHHELD_CODES or (code == "AccessDenied" and _DECRYPTING.search(_said(error))):
        return CorruptRecord(f"{sent.key}: the store does not hand it out: {status} {code} {_said(error)}".rstrip())
    return None


def from_answer(error: ClientError, sent: Sent) -> GpujobError:
    """The error for an answer of the store that is not a success."""
    status, code = status_of(error), code_of(error)
    if code == "NoSuchBucket" or (status == 404 and not sent.replaces):
        return NoSuchBucket(
            f"There is no bucket for {sent.url} at {sent.endpoint}.", hint=f"`gpujob init {sent.url}` creates it."
        )
    if status in (404, 412):
        return PreconditionFailed(f"The condition of {sent} did not hold ({status}): somebody else wrote first.")
    if status in BUSY_STATUS or code in BUSY_CODES:
        return Busy(f"The store put off {sent}: {status} {code}.")
    if code in ALTERED_CODES:
        return Busy(f"{sent} arrived altered, so the store refused it: {status} {code}.")
    if code in SKEW_CODES:
        return _skewed(error, sent)
    if status in (401, 403) or code in _DENIED:
        return _denied(code, sent)
    if status == 501:
        return UnsafeStore(
            f"The store does not implement what {sent} needs (501 {code}).",
            hint="`gpujob doctor` says what the store lacks and what to use instead.",
        )
    if status >= 500 or status == 408 or code == "RequestTimeout":
        return Unavailable(f"The store failed at {sent}: {status} {code}. Whether it was done is not known.")
    return _refused(error, sent)


def from_transport(error: Exception, sent: Sent) -> GpujobError:
    """The error for a request that got no answer, or half of one, or that never left."""
    if isinstance(error, _NO_CREDENTIALS):
        return Denied(f"No usable credentials for {sent.url}: {_flat(error)}.", hint=sent.advice.set_keys)
    if isinstance(error, boto.ReadTimeoutError):
        return Unavailable(f"The store did not answer {sent} in time. Whether it was done is not known.")
    if isinstance(error, _UNREACHABLE):
        return Unavailable(f"Cannot reach the store at {sent.endpoint} for {sent.url}.", hint=sent.advice.unreachable)
    if isinstance(error, boto.SSLError):
        return Unavailable(f"No secure connection to the store at {sent.endpoint}: {_flat(error)}.")
    if isinstance(error, boto.BotoCoreError) and not isinstance(error, _IN_DOUBT):
        return Configuration(f"Cannot send {sent}: {_flat(error)}.", hint="Check the URL and the AWS settings.")
    return Unavailable(f"The answer to {sent} broke off or cannot be read: {_flat(error)}.")


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """The store's own word for what is wrong; to a HEAD it is only the status again."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _denied(code: str, sent: Sent) -> Denied:
    if code in ("", "401", "403"):
        why, hint = _DENIED_SILENTLY
    else:
        why, word = _DENIED.get(code, (code, "set_keys"))
        hint = getattr(sent.advice, word)
    return Denied(f"The store refuses {sent}: {why}.", hint=hint)


def _skewed(error: ClientError, sent: Sent) -> Denied:
    date = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    said = f" The store's clock says {date}." if date else ""
    return Denied(
        f"The store refuses {sent}: this machine's clock is too far from the store's.{said}",
        hint="Set this machine's clock (for example with NTP), then try again.",
    )


def _refused(error: ClientError, sent: Sent) -> Configuration:
    status, code = status_of(error), code_of(error)
    if code in REGION_CODES or status in (301, 307):
        return Configuration(
            f"The store refuses {sent}: the bucket is in another region ({status} {code}).",
            hint="Set AWS_DEFAULT_REGION to the bucket's region.",
        )
    return Configuration(f"The store refuses {sent}: {status} {code} {_said(error)}".rstrip() + ".")


def _said(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")).rstrip(".")


def _flat(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
