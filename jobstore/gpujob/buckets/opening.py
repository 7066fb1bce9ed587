"""From a store's URL to its bucket. Imports only what the URL needs."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from gpujob.buckets.base import Bucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.errors import Configuration, UnsafeStore

EXAMPLES = "s3://bucket/prefix, file:///path and memory:// are stores"


def open_bucket(url: str, *, etag_style: Literal["quoted", "unquoted"] = "quoted") -> Bucket:
    """The bucket at `url`; no request is sent yet. Raises Configuration for a URL that names no store."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise Configuration("a store's URL holds no credentials", hint="Set AWS_ACCESS_KEY_ID and its secret instead.")
    if parts.scheme == "memory":
        from gpujob.buckets.memory import memory_bucket

        return memory_bucket(parts.netloc + parts.path)
    if parts.scheme == "file":
        return _folder(url)
    if parts.scheme == "s3":
        return _s3(url, etag_style)
    if parts.scheme == "gs":
        raise UnsafeStore(
            "Google Cloud Storage is not supported yet: the plain S3 route to it would lose jobs",
            hint="Use S3, MinIO, SeaweedFS or R2, or a folder (file:///path), until it is.",
        )
    raise Configuration(f"{url!r} is no store's URL: {EXAMPLES}")


def separate_connection(bucket: Bucket) -> Bucket:
    """The same bucket over connections of its own, where it has connections at all."""
    if isinstance(bucket, WrappedBucket):
        twin = copy.copy(bucket)
        twin.inner = separate_connection(bucket.inner)
        return twin
    fresh = getattr(bucket, "fresh_connection", None)
    return bucket if fresh is None else fresh()  # type: ignore[no-any-return]


def create_bucket(url: str) -> bool:
    """Makes the S3 bucket of `url` where it is missing; whether it did. Other stores make themselves."""
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return False
    from gpujob.buckets.s3_setup import create_if_missing

    return create_if_missing(parts.netloc)


def _folder(url: str) -> Bucket:
    from gpujob.buckets.folder import FolderBucket

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise Configuration(f"{url!r} is no folder's URL", hint="It begins with three slashes: file:///path.")
    return FolderBucket(Path(unquote(parts.path)))


def _s3(url: str, etag_style: Literal["quoted", "unquoted"]) -> Bucket:
    parts = urlsplit(url)
    if not parts.netloc:
        raise Configuration(f"{url!r} names no bucket: s3://bucket/prefix does")
    from gpujob.buckets.s3 import S3Bucket

    return S3Bucket(parts.netloc, unquote(parts.path), etag_style=etag_style)
