"""Why Google Cloud Storage is never spoken to in S3's dialect, and what to use where a store is refused.

Invariant: nothing is ever written to Google Cloud Storage with S3's conditional headers. Its XML API ignores
`If-Match` and `If-None-Match` on a PUT without a word (200, overwritten), so two workers could own one job.
`gpujob.buckets.gcs` speaks its own conditions.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from gpujob.errors import UnsafeStore

HOSTS = "googleapis.com"  # storage.googleapis.com, and its regional, private and older names
USE_INSTEAD = (
    "AWS S3, Cloudflare R2, Google Cloud Storage (as gs://), a MinIO or SeaweedFS server (`make up` starts one), or a "
    "folder (file:///path)"
)

_WHY = (
    "its S3-compatible interface ignores the conditions that the queue relies on: it answers 200 and overwrites, "
    "so two workers could own one job and a finished result could be replaced"
)


def refuse_interop(url: str, endpoint: str) -> UnsafeStore:
    """The error for an `s3://` URL whose endpoint is Google's."""
    return UnsafeStore(
        f"Refused to open {url} on {endpoint}: that is Google Cloud Storage, and {_WHY}.",
        hint=f"Write gs://{url.removeprefix('s3://')}, and unset AWS_ENDPOINT_URL_S3 (or the profile's endpoint_url).",
    )


def is_google(endpoint: str) -> bool:
    """Whether an endpoint URL leads to Google Cloud Storage."""
    host = (urlsplit(endpoint).hostname or "").lower()
    return host == HOSTS or host.endswith("." + HOSTS)
