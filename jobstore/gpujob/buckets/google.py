"""Why Google Cloud Storage is refused for now, in one place, for both ways of asking for it.

Invariant: nothing is ever written to Google Cloud Storage with S3's conditional headers. Its XML API ignores
`If-Match` and `If-None-Match` on a PUT without a word (200, overwritten), so two workers could own one job.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gpujob.errors import Configuration, UnsafeStore

HOST = "storage.googleapis.com"
USE_INSTEAD = "AWS S3, Cloudflare R2, a MinIO or SeaweedFS server (`make up` starts one), or a folder (file:///path)"

_WHY = (
    "its S3-compatible interface ignores the conditions that the queue relies on: it answers 200 and overwrites, "
    "so two workers could own one job and a finished result could be replaced"
)


def refuse_gs(url: str) -> Configuration:
    """The error for a `gs://` URL."""
    return Configuration(
        f"Cannot open {url}: Google Cloud Storage comes with a later version of gpujob, which will speak its own "
        f"conditions. Opening the bucket as s3:// is no way around: {_WHY}.",
        hint=f"Until then use {USE_INSTEAD}.",
    )


def refuse_interop(url: str, endpoint: str) -> UnsafeStore:
    """The error for an `s3://` URL whose endpoint is Google's."""
    return UnsafeStore(
        f"Refused to open {url} on {endpoint}: that is Google Cloud Storage, and {_WHY}.",
        hint=f"Unset AWS_ENDPOINT_URL_S3 (or the profile's endpoint_url), or use {USE_INSTEAD}.",
    )


def is_google(endpoint: str) -> bool:
    """Whether an endpoint URL leads to Google Cloud Storage."""
    host = (urlsplit(endpoint).hostname or "").lower()
    return host == HOST or host.endswith("." + HOST)
