"""From a request to an answer, as the documentation of Google Cloud Storage's XML API has it.

Invariant: who asks is checked before anything is looked at, and S3's conditions on a write are ignored without a word.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from tests.google import signatures
from tests.google.objects import Objects, Stored, Turnstile
from tests.google.parts import Uploads
from tests.google.requests import Answer, Asked, Refused
from tests.google.tokens import Tokens

JSON_API = "/storage/v1/b/"
TOKEN_PATH = "/token"
NAMESPACE = "http://doc.s3.amazonaws.com/2006-03-01"
LOCATIONS = ("US", "EU", "ASIA", "EUROPE-WEST3", "US-CENTRAL1")  # "auto" is none of them
WEEK_S = 7 * 24 * 3600


class Bucket:
    """One bucket: objects, uploads in parts, and its settings."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.uploads = Uploads(objects)
        self.versioning = False
        self.soft_delete_s = WEEK_S  # what a new bucket has, where nobody says otherwise
        self.rules: list[dict[str, object]] = []


class Service:
    """The whole imitation but for the sockets."""

    def __init__(
        self, secrets: dict[str, str], now: Callable[[], float], turnstile: Turnstile, *, busy_first: bool = True
    ) -> None:
        self.secrets, self.now, self.turnstile, self._busy_first = secrets, now, turnstile, busy_first
        self.tokens = Tokens(now)
        self.default_project = True
        self.buckets: dict[str, Bucket] = {}

    def make_bucket(self, name: str) -> Bucket:
        return self.buckets.setdefault(name, Bucket(Objects(self.now, self.turnstile, busy_first=self._busy_first)))

    def answer(self, asked: Asked) -> Answer:
        try:
            if asked.path == TOKEN_PATH:
                return self.tokens.give(asked)
            self._check_headers(asked)
            if asked.path.startswith(JSON_API):
                return self._describe(unquote(asked.path.removeprefix(JSON_API)), asked)
            bucket, _, name = asked.path.lstrip("/").partition("/")
            return self._of_object(asked, bucket, unquote(name)) if name else self._of_bucket(asked, bucket)
        except Refused as error:
            return error.answer()

    def _check_headers(self, asked: Asked) -> None:
        families = {
            family for family in ("x-amz-", "x-goog-") if any(name.startswith(family) for name in asked.headers)
        }
        if len(families) == 2:
            raise Refused(400, "ExcessHeaderValues", "Requests cannot specify both x-amz and x-goog headers.")
        if asked.method in ("PUT", "POST") and "content-length" not in asked.headers:
            raise Refused(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        if "authorization" not in asked.headers:
            raise Refused(403, "AccessDenied", "Anonymous caller.")
        if asked.headers["authorization"].startswith("Bearer "):
            self.tokens.check(asked)
        else:
            signatures.check(asked, self.secrets, self.now())
        sent = asked.headers.get("content-md5")
        if sent is not None and sent != base64.b64encode(hashlib.md5(asked.body).digest()).decode():
            raise Refused(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")

    def _bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist.")
        return self.buckets[name]

    # Buckets.

    def _of_bucket(self, asked: Asked, name: str) -> Answer:
        query = asked.parameters
        if asked.method == "PUT" and not query:
            return self._create(asked, name)
        bucket = self._bucket(name)
        if asked.method == "HEAD":
            return Answer()
        if asked.method == "GET" and "versioning" in query:
            state = "<Status>Enabled</Status>" if bucket.versioning else ""
            return Answer(body=f"<VersioningConfiguration>{state}</VersioningConfiguration>".encode())
        if asked.method == "GET" and query.get("list-type") == "2":
            return _listing(bucket.objects, name, query)
        raise Refused(400, "InvalidArgument", f"The imitation knows no {asked.method} {asked.query} of a bucket.")

    def _create(self, asked: Asked, name: str) -> Answer:
        by_key = not asked.headers["authorization"].startswith("Bearer ")
        if "x-goog-project-id" not in asked.headers and not (by_key and self.default_project):
            raise Refused(400, "InvalidArgument", "User project specified in the request is invalid.")
        if asked.body and not any(f"<LocationConstraint>{one}<".encode() in asked.body for one in LOCATIONS):
            raise Refused(400, "InvalidLocationConstraint", "The specified location constraint is not valid.")
        if name in self.buckets:
            raise Refused(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded.")
        self.make_bucket(name)
        return Answer()

    def _describe(self, name: str, asked: Asked) -> Answer:
        if not asked.headers["authorization"].startswith("Bearer "):
            raise Refused(401, "AuthenticationRequired", "The JSON API takes no HMAC keys.")
        bucket = self._bucket(name)
        described: dict[str, object] = {
            "name": name,
            "location": "US",
            "versioning": {"enabled": bucket.versioning},
            "softDeletePolicy": {"retentionDurationSeconds": str(bucket.soft_delete_s)},
        }
        if bucket.rules:
            described["lifecycle"] = {"rule": bucket.rules}
        return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(described).encode())

    # Objects.

    def _of_object(self, asked: Asked, bucket_name: str, name: str) -> Answer:
        bucket = self._bucket(bucket_name)
        in_parts = bucket.uploads.handle(asked, name)
        if in_parts is not None:
            return in_parts
        if asked.method == "PUT":
            media_type = asked.headers.get("content-type", "application/octet-stream")
            encoding = asked.headers.get("content-encoding", "")
            stored = bucket.objects.put(name, asked.body, media_type, _condition(asked), encoding)
            return Answer(headers=stored.headers())
        if asked.method == "DELETE":
            bucket.objects.delete(name, _condition(asked))
            return Answer(204)
        if asked.method not in ("GET", "HEAD"):
            raise Refused(400, "InvalidArgument", f"The imitation knows no {asked.method} of an object.")
        found = bucket.objects.get(name)
        if found is None:
            raise Refused(404, "NoSuchKey", "The specified key does not exist.")
        if _condition(asked) not in (None, found.generation):
            raise Refused(412, "PreconditionFailed")
        if found.encoding == "gzip" and "gzip" not in asked.headers.get("accept-encoding", ""):
            return _unpacked(found)
        return _sent(found, asked.headers.get("range", ""))


def _condition(asked: Asked) -> int | None:
    """The generation that must be there (0: none). What S3 would say, If-Match and If-None-Match, is not looked at."""
    wanted = asked.headers.get("x-goog-if-generation-match")
    if wanted is None:
        return None
    if not wanted.isdecimal():
        raise Refused(400, "InvalidArgument", "The generation is not a number.")
    return int(wanted)


def _unpacked(stored: Stored) -> Answer:
    """Decompressive transcoding: of unknown length, and whole whatever range is asked for.

    https://cloud.google.com/storage/docs/transcoding
    """
    headers = {
        **stored.headers(),
        "Content-Type": stored.media_type,
        "Last-Modified": formatdate(stored.written, usegmt=True),
        "Vary": "Accept-Encoding",
        "Warning": "214 UploadServer gunzipped",
    }
    return Answer(200, headers, gzip.decompress(stored.body), of_unknown_length=True)


def _sent(stored: Stored, asked_range: str) -> Answer:
    headers = {
        **stored.headers(),
        "Content-Type": stored.media_type,
        "Last-Modified": formatdate(stored.written, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if stored.encoding:
        headers["Content-Encoding"] = stored.encoding
    if not asked_range:
        return Answer(200, headers, stored.body)
    start = int(asked_range.removeprefix("bytes=").partition("-")[0])
    if start >= len(stored.body):
        raise Refused(416, "InvalidRange", "The requested range cannot be satisfied.")
    headers["Content-Range"] = f"bytes {start}-{len(stored.body) - 1}/{len(stored.body)}"
    return Answer(206, headers, stored.body[start:])


def _listing(objects: Objects, bucket: str, query: dict[str, str]) -> Answer:
    if "delimiter" in query:
        raise Refused(400, "InvalidArgument", "The imitation lists no folders.")
    prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
    most = min(int(query.get("max-keys", 1000)), 1000)
    encoded = query.get("encoding-type") == "url"
    names = [name for name in objects.names() if name.startswith(prefix) and name > after]
    found = [(name, stored) for name in names[:most] if (stored := objects.get(name)) is not None]
    more = len(names) > most
    rows = "".join(_row(quote(name, safe="/") if encoded else escape(name), stored) for name, stored in found)
    token = f"<NextContinuationToken>{escape(found[-1][0])}</NextContinuationToken>" if more and found else ""
    head = f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(found)}</KeyCount>{token}"
    head += "<EncodingType>url</EncodingType>" if encoded else ""
    body = f"{head}<IsTruncated>{str(more).lower()}</IsTruncated>{rows}"
    text = f"<?xml version='1.0' encoding='UTF-8'?><ListBucketResult xmlns='{NAMESPACE}'>{body}</ListBucketResult>"
    return Answer(headers={"Content-Type": "application/xml"}, body=text.encode())


def _row(key: str, stored: Stored) -> str:
    # Milliseconds, as the documentation shows them.
    seconds = formatted(stored.written)
    return (
        f"<Contents><Key>{key}</Key><Generation>{stored.generation}</Generation><MetaGeneration>1</MetaGeneration>"
        f"<LastModified>{seconds}</LastModified><ETag>{escape(stored.etag)}</ETag><Size>{len(stored.body)}</Size></Contents>"
    )


def formatted(moment: float) -> str:
    """A moment as listings show it."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
