"""The MD5 of what is sent, for the header `Content-MD5`: every store that speaks S3 refuses a body that does not fit it.

A signature names the body's sha256 too, but SeaweedFS does not look, and over TLS botocore leaves it out. MD5 guards
against accidents on the way, not against anybody: for that there are TLS and signed manifests.
"""

from __future__ import annotations

import base64
import hashlib
from typing import BinaryIO

BLOCK_BYTES = 1 << 20


def md5_hex(body: bytes) -> str:
    """As ETags show it."""
    return _md5(body).hexdigest()


def content_md5(body: bytes) -> str:
    """The value of the header."""
    return base64.b64encode(_md5(body).digest()).decode()


def content_md5_of(handle: BinaryIO) -> str:
    """The same for an open file, which is left at its beginning."""
    digest = _md5()
    while block := handle.read(BLOCK_BYTES):
        digest.update(block)
    handle.seek(0)
    return base64.b64encode(digest.digest()).decode()


def _md5(body: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(body, usedforsecurity=False)
