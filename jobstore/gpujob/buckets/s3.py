"""A bucket on anything that speaks S3: AWS, MinIO, SeaweedFS, R2, Ceph and the like.

Invariant: one call of a verb is one HTTP request, sent once. (An upload in parts is several; on AWS botocore looks for
the bucket's region, once, where the configured one is wrong; a body that does not fit its ETag is read again; a HEAD
that is refused is followed by a GET, for an answer to HEAD does not say why; and a page of a listing that has no keys, but
says that there are more, by the next one.)

Versions are ETags without their quotes. `etag_style` says how a replace sends them back: most stores take the quoted
form, Ceph and its relatives only the bare one; the probe finds out, and the queue remembers.
A 404 to HEAD carries no code, so `head` cannot tell a missing object from a missing bucket; every other verb can.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.exceptions import ClientError

from gpujob.buckets import s3_transfer
from gpujob.buckets.base import PAGE, Found, Head, Listing
from gpujob.buckets.google import is_google, refuse_interop
from gpujob.buckets.s3_answers import altered, body_of, date_of, entry_of, head_of, md5_in_etag, version_of
from gpujob.buckets.s3_checksums import content_md5
from gpujob.buckets.s3_client import S3Clients, Timeouts
from gpujob.buckets.s3_errors import status_of
from gpujob.buckets.s3_place import S3Place
from gpujob.clock import SYSTEM, Runtime
from gpujob.errors import BucketError, Configuration, Denied, Unavailable

EtagStyle = Literal["quoted", "unquoted"]
EMPTY_PAGES = 20  # of one listing, one after the other


class S3Bucket:
    """The queue's bucket at one place. `open_s3` makes one from a name."""

    def __init__(
        self, place: S3Place, *, etag_style: EtagStyle = "quoted", part_bytes: int = s3_transfer.PART_BYTES
    ) -> None:
        self._place = place
        self._s3 = place.clients.requests
        self._part_bytes = part_bytes
        self.etag_style: EtagStyle = etag_style
        self._md5_is_true = True  # an ETag is none for encrypted objects, which the first such answer shows

    @property
    def url(self) -> str:
        return self._place.url

    @property
    def endpoint(self) -> str:
        """Scheme, host and port of the server."""
        return self._place.endpoint

    @property
    def place(self) -> S3Place:
        """Where its requests go, for those who ask more of a store than the verbs do."""
        return self._place

    def fresh_connection(self, *, silence_s: float = math.inf) -> S3Bucket:
        """The same bucket through connections of its own: for beats, which no other traffic may hold up."""
        place = self._place.fresh(silence_s=silence_s)
        return S3Bucket(place, etag_style=self.etag_style, part_bytes=self._part_bytes)

    def with_etag_style(self, etag_style: EtagStyle) -> S3Bucket:
        """The same bucket and connections, sending versions back in the other style."""
        return S3Bucket(self._place, etag_style=etag_style, part_bytes=self._part_bytes)

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        def send() -> tuple[Found, str]:
            answer: Any = self._s3.get_object(Bucket=self._place.name, Key=self._place.prefix + key)
            with closing(answer["Body"]) as stream:
                head = head_of(answer)
                body = body_of(stream, head.size_bytes, max_bytes)
            return Found(head.version, head.size_bytes, head.last_modified, head.date, body), self._md5_of(answer)

        got = self._place.ask_if_there("GET", key, send)
        if got is None or not self._md5_is_true or not altered(*got):
            return None if got is None else got[0]
        return self._confirmed(key, got[0], self._place.ask_if_there("GET", key, send))

    def _md5_of(self, answer: Any) -> str:
        """The MD5 of the whole object in hexadecimal, where the answer names one; else empty."""
        return md5_in_etag(answer)

    def _confirmed(self, key: str, first: Found, again: tuple[Found, str] | None) -> Found:
        """An answer whose body does not fit its MD5: two that are alike mean that it is the MD5 of something else."""
        if again is None or (again[0].version, again[0].body) != (first.version, first.body):
            raise Unavailable(f"The answer to GET {key} in {self.url} was altered on its way.")
        self._md5_is_true = False
        return again[0]

    def head(self, key: str) -> Head | None:
        def send() -> Head:
            return head_of(self._s3.head_object(Bucket=self._place.name, Key=self._place.prefix + key))

        try:
            return self._place.ask_if_there("HEAD", key, send)
        except Configuration as error:
            if isinstance(error.__cause__, ClientError) and status_of(error.__cause__) in (400, 403):
                self._require_handed_out(key)
            raise

    def _require_handed_out(self, key: str) -> None:
        """Raises CorruptRecord where the store hands this one object out to nobody."""
        place = self._place

        def look() -> None:
            self._s3.get_object(Bucket=place.name, Key=place.prefix + key, Range="bytes=0-0")["Body"].close()

        with suppress(BucketError, Configuration):
            place.ask_if_there("GET", key, look)

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        # One row more than wanted: MinIO may say that a page is the last one when the next key is in another folder.
        place, limit = self._place, min(limit, PAGE)
        query: Any = {"Bucket": place.name, "Prefix": place.prefix + prefix, "MaxKeys": min(limit + 1, PAGE)}
        if after:
            query["StartAfter"] = place.prefix + after

        def send() -> Listing:
            answer = self._page(prefix, query)
            entries = tuple(entry_of(row, place.prefix) for row in answer.get("Contents", ()))
            full = len(entries) == query["MaxKeys"]
            return Listing(entries[:limit], answer["IsTruncated"] or full, date_of(answer))

        return place.ask("LIST", prefix, send)

    def _page(self, prefix: str, query: Any) -> Any:
        """The first answer with rows, or the last one: a store may say that there is more, and not yet what."""
        for _ in range(EMPTY_PAGES):
            answer: Any = self._s3.list_objects_v2(**query)
            if "IsTruncated" not in answer:  # an answer that broke off before its first byte is parsed as an empty one
                raise Unavailable(f"The store's answer to LIST {prefix} in {self.url} is empty.")
            if answer.get("Contents") or not answer["IsTruncated"]:
                return answer
            if not answer.get("NextContinuationToken"):
                break
            query = {**query, "ContinuationToken": answer["NextContinuationToken"]}
        raise Unavailable(f"The store's answers to LIST {prefix} in {self.url} say that there is more, and not what.")

    def delete(self, key: str) -> None:
        place = self._place
        place.ask_if_there("DELETE", key, lambda: self._s3.delete_object(Bucket=place.name, Key=place.prefix + key))

    def create(self, key: str, body: bytes) -> str:
        return self._put(key, body, {"IfNoneMatch": "*"})

    def replace(self, key: str, body: bytes, version: str) -> str:
        return self._put(key, body, {"IfMatch": f'"{version}"' if self.etag_style == "quoted" else version})

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        s3_transfer.upload(self._place, key, source, media_type, self._part_bytes)

    def download(self, key: str, *, offset: int = 0) -> AbstractContextManager[Iterator[bytes] | None]:
        return s3_transfer.download(self._place, key, offset)

    def create_bucket(self) -> bool:
        """Creates the bucket itself where it is missing; True if this call did."""
        place = self._place
        try:
            if place.ask_if_there("HEAD", "", lambda: self._s3.head_bucket(Bucket=place.name)) is not None:
                return False
        except Denied:  # who may list below a prefix only may not ask for the bucket as a whole
            self.list("", limit=1)
            return False
        region = self._s3.meta.region_name
        elsewhere = region not in (None, "", "us-east-1", "aws-global")
        settings: Any = {"CreateBucketConfiguration": {"LocationConstraint": region}} if elsewhere else {}
        place.ask("PUT", "", lambda: self._s3.create_bucket(Bucket=place.name, **settings))
        return True

    def _put(self, key: str, body: bytes, condition: Any) -> str:
        settings: Any = {**self._place.at(key), "Body": body, "ContentType": "application/json", **condition}
        settings["ContentMD5"] = content_md5(body)
        return self._place.ask(
            "PUT", key, lambda: version_of(self._s3.put_object(**settings)), replaces="IfMatch" in condition
        )


def open_s3(
    name: str,
    prefix: str = "",
    *,
    etag_style: EtagStyle = "quoted",
    runtime: Runtime = SYSTEM,
    timeouts: Timeouts | None = None,
    session: boto3.session.Session | None = None,
    endpoint_url: str | None = None,
    part_bytes: int = s3_transfer.PART_BYTES,
) -> S3Bucket:
    """The bucket `name`, with credentials, region and endpoint from botocore's own chain where none are given.

    Sends nothing. Raises `Configuration` for settings that cannot work, `UnsafeStore` for Google's endpoint.
    """
    clients = S3Clients(runtime, timeouts=timeouts, session=session, endpoint_url=endpoint_url)
    place = S3Place(clients, name, prefix)
    if is_google(place.endpoint):
        raise refuse_interop(place.url, place.endpoint)
    return S3Bucket(place, etag_style=etag_style, part_bytes=part_bytes)
