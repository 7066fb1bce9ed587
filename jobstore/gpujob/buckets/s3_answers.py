"""Reading an S3 answer: its version, times and body.

Invariant: an answer that is cut short, or that lacks what the protocol decides by, is `Unavailable`, never a guess.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gpujob.buckets.base import Entry, Found, Head
from gpujob.buckets.s3_checksums import md5_hex
from gpujob.buckets.s3_clock import answer_date
from gpujob.errors import Unavailable

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_MD5 = re.compile(r"[0-9a-f]{32}")


def version_of(answer: Any) -> str:
    """The ETag without its quotes."""
    etag = answer.get("ETag")
    if not etag:
        raise Unavailable("The store's answer names no version (ETag).")
    return str(etag).strip('"')


def date_of(answer: Any) -> float:
    """The store's clock at this answer."""
    date = answer_date(answer)
    if date is None:
        raise Unavailable("The store's answer has no Date, so nobody can tell how old a lease is.")
    return date


def head_of(answer: Any) -> Head:
    """What the headers of a GET or HEAD say."""
    size_bytes, modified = answer.get("ContentLength"), answer.get("LastModified")
    if size_bytes is None or modified is None:
        raise Unavailable("The store's answer does not say how long the object is and since when it stands.")
    return Head(version_of(answer), size_bytes, modified.timestamp(), date_of(answer))


def entry_of(row: Any, prefix: str) -> Entry:
    """One row of a listing, its key without the store's prefix."""
    if not {"Key", "Size", "LastModified"} <= row.keys():
        raise Unavailable("The store's listing does not say of each object how long it is and since when it stands.")
    return Entry(row["Key"].removeprefix(prefix), version_of(row), row["Size"], row["LastModified"].timestamp())


def body_of(stream: StreamingBody, size_bytes: int, max_bytes: int | None) -> bytes:
    """The body, or its first `max_bytes + 1` bytes where it is longer."""
    wanted = size_bytes if max_bytes is None else min(size_bytes, max_bytes + 1)
    body = stream.read() if wanted == size_bytes else stream.read(wanted)
    if len(body) != wanted:
        raise Unavailable(f"The store's answer broke off after {len(body)} of {wanted} bytes.")
    return body


def md5_in_etag(answer: Any) -> str:
    """The ETag where it may be an MD5, as those of most stores are; else empty."""
    version = version_of(answer)
    return version if _MD5.fullmatch(version) else ""


def altered(found: Found, md5: str) -> bool:
    """Whether a whole body is not the one that the answer's MD5, if it names one, belongs to."""
    return bool(md5) and len(found.body) == found.size_bytes and md5_hex(found.body) != md5
