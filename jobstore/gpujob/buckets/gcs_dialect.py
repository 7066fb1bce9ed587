"""Between boto3, which speaks S3, and Google Cloud Storage's XML API: conditions, versions, signatures.

The rest of gpujob goes on saying IfNoneMatch and IfMatch and reading ETag; here they become Google's
`x-goog-if-generation-match` and `x-goog-generation`. Google ignores S3's conditions on a PUT without a word.

Invariant: a version is a generation or there is none. An answer without one is `Unavailable`, and a version that is no
generation never becomes a condition (generation 0 would mean "create").
"""

from __future__ import annotations

import base64
import re
from typing import Any, cast
from xml.etree import ElementTree

from botocore.exceptions import ClientError

from gpujob import settings
from gpujob.buckets.gcs_login import Login
from gpujob.buckets.gcs_signing import HMAC_SIGNER, OFFSET, TOKEN, TOKEN_SIGNER
from gpujob.buckets.s3_clock import StoreClock
from gpujob.errors import PreconditionFailed, Unavailable

GENERATION = "x-goog-generation"
HASH = "x-goog-hash"
CONDITION = "x-goog-if-generation-match"
PROJECT = "x-goog-project-id"
_MD5 = re.compile(r"\bmd5=([A-Za-z0-9+/]{22}==)")
_NUMBER = re.compile(r"[0-9]{1,20}")  # 64 bits
_ABSENT = "0"  # the generation of what is not there
_NAMED = ("PutObject", "GetObject", "HeadObject")  # operations whose answer names a version
_IN_CONTEXT = "gpujob_generation"


class GoogleDialect:
    """The event handlers for the clients of one bucket. Without a `login` the clients' HMAC key signs."""

    def __init__(self, clock: StoreClock, login: Login | None = None) -> None:
        self._clock = clock
        self.login = login

    def install(self, events: Any) -> None:
        """Registers the handlers, in the order in which a request meets them."""
        events.register_first("provide-client-params.s3.PutObject", take_condition)
        events.register("before-call.s3.PutObject", set_condition)
        events.register("before-call.s3.CreateBucket", self._name_project)
        events.register_first("choose-signer.s3", self._choose_signer)
        for operation in _NAMED:
            events.register(f"after-call.s3.{operation}", name_version)
        for operation in ("GetObject", "HeadObject"):
            events.register(f"before-call.s3.{operation}", ask_for_it_as_it_is)
        events.register("after-call.s3.ListObjectsV2", name_versions)
        events.register("after-call.s3", self._remember_token)

    def renewed(self, error: ClientError) -> bool:
        """True when the store refused the token (401) and there is another one: the same request may be sent again."""
        metadata = error.response.get("ResponseMetadata", {})
        if self.login is None or metadata.get("HTTPStatusCode") != 401:
            return False
        return self.login.refused(str(cast(Any, metadata).get(TOKEN, "")))

    def _choose_signer(self, context: dict[str, Any], **_: object) -> str:
        if self.login is None:
            context[OFFSET] = self._clock.offset_s
            return HMAC_SIGNER
        context[TOKEN] = self.login.token()
        return TOKEN_SIGNER

    def _remember_token(self, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        """So that a 401 can be told from one for a token which another thread has renewed meanwhile."""
        if parsed.get("ResponseMetadata", {}).get("HTTPStatusCode") == 401:
            parsed["ResponseMetadata"][TOKEN] = context.get(TOKEN, "")

    def _name_project(self, params: dict[str, Any], **_: object) -> None:
        """Google makes a bucket in a project: the one that is set, else the login's, else the HMAC key's default one."""
        project = settings.google_project() or (self.login.project() if self.login else "")
        if project:
            params["headers"][PROJECT] = project


def take_condition(params: dict[str, Any], context: dict[str, Any], **_: object) -> dict[str, Any]:
    """The parameters without S3's condition, which goes into the context as a generation."""
    kept = {name: value for name, value in params.items() if name not in ("IfNoneMatch", "IfMatch")}
    if "IfNoneMatch" in params:
        context[_IN_CONTEXT] = _ABSENT
    elif "IfMatch" in params:
        context[_IN_CONTEXT] = _generation(params["IfMatch"].strip('"'), params["Key"])
    return kept


def set_condition(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Puts the condition into the request's headers."""
    if _IN_CONTEXT in context:
        params["headers"][CONDITION] = context[_IN_CONTEXT]


def ask_for_it_as_it_is(params: dict[str, Any], **_: object) -> None:
    """Takes gzip, else Google unpacks what was stored as gzip on its way: another body, and of no stated length.

    https://cloud.google.com/storage/docs/transcoding. The header is not signed; see `gcs_signing`.
    """
    params["headers"]["Accept-Encoding"] = "gzip"


def name_version(parsed: dict[str, Any], **_: object) -> None:
    """Makes the generation the answer's version."""
    metadata = parsed.get("ResponseMetadata", {})
    if metadata.get("HTTPStatusCode", 0) >= 300:
        return
    parsed.pop("ETag", None)
    generation = metadata.get("HTTPHeaders", {}).get(GENERATION, "")
    if not _NUMBER.fullmatch(generation):
        raise Unavailable(f"The store's answer names no version ({GENERATION}): is this Google Cloud Storage?")
    parsed["ETag"] = generation


def md5_in_hash(answer: Any) -> str:
    """The MD5 of the object in hexadecimal; empty for those that were sent in parts, which have a CRC32C alone."""
    found = _MD5.search(answer["ResponseMetadata"]["HTTPHeaders"].get(HASH, ""))
    return base64.b64decode(found[1]).hex() if found else ""


def name_versions(parsed: dict[str, Any], http_response: Any, **_: object) -> None:
    """Makes the generation the version of each row of a listing; botocore itself leaves that element out."""
    rows = parsed.get("Contents", ())
    if not rows:
        return
    found = [row.findtext("{*}Generation", "") for row in _contents(http_response.content)]
    if len(found) != len(rows) or not all(_NUMBER.fullmatch(one) for one in found):
        raise Unavailable("The store's listing names no versions (Generation): is this Google Cloud Storage?")
    for row, generation in zip(rows, found, strict=True):
        row["ETag"] = generation


def _contents(body: bytes) -> list[ElementTree.Element]:
    """The rows of a listing that botocore has just read with the same parser."""
    return ElementTree.fromstring(body).findall("{*}Contents")  # noqa: S314


def _generation(version: str, key: str) -> str:
    if not _NUMBER.fullmatch(version) or int(version) == 0:
        raise PreconditionFailed(f"{version!r} is no version that Google Cloud Storage gave to {key}.")
    return version
