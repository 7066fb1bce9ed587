"""From a store's URL to its bucket.

Invariant: a URL that cannot be opened gets a sentence, and no library that the chosen store does not need is imported.
"""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from gpujob.buckets.base import Bucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.clock import SYSTEM, Runtime
from gpujob.errors import Configuration
from gpujob.home_paths import at_home

if TYPE_CHECKING:
    from gpujob.buckets.gcs import GoogleBucket
    from gpujob.buckets.s3 import S3Bucket

FORMS = "s3://bucket/prefix, gs://bucket/prefix, file:///path or memory://name"
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_SCHEMES = ("s3", "file", "memory", "gs")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A store's URL taken apart. `place` is the bucket, the folder or the name; `prefix` is for buckets only."""

    url: str
    scheme: str
    place: str
    prefix: str = ""


@runtime_checkable
class HasConnections(Protocol):
    """A bucket that talks over a network."""

    def fresh_connection(self, *, silence_s: float = math.inf) -> Bucket: ...


def open_bucket(url: str, *, etag_style: Literal["quoted", "unquoted"] = "quoted", runtime: Runtime = SYSTEM) -> Bucket:
    """The bucket behind a store's URL. Sends nothing; raises `Configuration` where the URL cannot work."""
    store = parse_url(url)
    if store.scheme == "gs":
        return _open_gcs(store, runtime)
    if store.scheme == "memory":
        from gpujob.buckets.memory import memory_bucket

        return memory_bucket(store.place)
    if store.scheme == "file":
        from gpujob.buckets.folder import FolderBucket

        return FolderBucket(Path(store.place))
    return _open_s3(store, etag_style, runtime)


def create_bucket(url: str) -> bool:
    """Makes sure that the bucket exists; True if this call created it. Folders and memory make themselves."""
    store = parse_url(url)
    if store.scheme == "gs":
        return _open_gcs(store, SYSTEM).create_bucket()
    return _open_s3(store, "quoted", SYSTEM).create_bucket() if store.scheme == "s3" else False


def separate_connection(bucket: Bucket, *, silence_s: float = math.inf) -> Bucket:
    """The same bucket through connections of its own, so that beats never queue behind other traffic.

    No request there waits longer than `silence_s` for a word from the store. Decorators are kept, with their state; a
    bucket without connections is returned as it is.
    """
    if isinstance(bucket, HasConnections):
        return bucket.fresh_connection(silence_s=silence_s)
    if not isinstance(bucket, WrappedBucket):
        return bucket
    inner = separate_connection(bucket.inner, silence_s=silence_s)
    if inner is bucket.inner:
        return bucket
    twin = copy.copy(bucket)
    twin.inner = inner
    return twin


def endpoint_of(bucket: Bucket) -> str:
    """Scheme, host and port of the server behind a bucket; empty for one without a server."""
    while isinstance(bucket, WrappedBucket):
        bucket = bucket.inner
    return str(getattr(bucket, "endpoint", ""))


def parse_url(url: str) -> StoreUrl:
    """A store's URL taken apart, or `Configuration` with what is wrong with it."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _SCHEMES or "\0" in unquote(url):
        raise _not_a_store(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _not_a_store(url) from None
    if "@" in parts.netloc:
        raise Configuration(
            f"The store URL for {scheme}:// holds a user name or password, which it must not.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and take them out of the URL.",
        )
    if scheme.lower() == "memory":
        return StoreUrl(url, "memory", rest)
    if parts.query or parts.fragment:
        raise Configuration(f"The store URL {url} has a '?' or '#' part, which no store takes.", hint=f"Use {FORMS}.")
    return _folder(url, parts.netloc, parts.path) if parts.scheme == "file" else _named(url, parts.scheme, rest)


def _folder(url: str, host: str, path: str) -> StoreUrl:
    if host not in ("", "localhost") or not path.startswith("/"):
        raise Configuration(
            f"The store URL {url} does not name an absolute path.",
            hint=f"Write file:// and the whole path, three slashes in all: file:///{host}{path}",
        )
    return StoreUrl(url, "file", unquote(path))


def _named(url: str, scheme: str, rest: str) -> StoreUrl:
    name, _, prefix = rest.partition("/")
    if not _BUCKET_NAME.fullmatch(name):
        raise Configuration(
            f"The store URL {url} does not name a bucket: {name!r} is not 3 to 63 lower-case letters, digits, dots "
            "and hyphens.",
            hint=f"Write {scheme}://bucket or {scheme}://bucket/prefix.",
        )
    if any(part in ("", ".", "..") for part in prefix.rstrip("/").split("/")) and prefix.strip("/"):
        raise Configuration(f"The prefix of the store URL {url} has an empty or dotted part.", hint=f"Use {FORMS}.")
    return StoreUrl(url, scheme, name, prefix.strip("/"))


def _not_a_store(url: str) -> Configuration:
    hint = f"Use {FORMS}."
    if url.startswith(("/", "./", "../", "~")):
        hint = f"For a folder write file://{at_home(url).absolute()}"
    shown = repr(url) if "@" not in url else "What was given"  # it may hold a password
    return Configuration(f"{shown} is not the URL of a store.", hint=hint)


def _open_s3(store: StoreUrl, etag_style: Literal["quoted", "unquoted"], runtime: Runtime) -> S3Bucket:
    try:
        from gpujob.buckets.s3 import open_s3
    except ImportError as error:
        raise Configuration(f"Cannot open {store.url}: {error}.", hint="pip install boto3") from error
    return open_s3(store.place, store.prefix, etag_style=etag_style, runtime=runtime)


def _open_gcs(store: StoreUrl, runtime: Runtime) -> GoogleBucket:
    try:
        from gpujob.buckets.gcs import open_gcs
    except ImportError as error:
        raise Configuration(f"Cannot open {store.url}: {error}.", hint="pip install boto3") from error
    return open_gcs(store.place, store.prefix, runtime=runtime)
