"""What only S3's own interface knows of a bucket, and where it is. Asks, and changes nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from gpujob.buckets.s3_client import plain_endpoint


def endpoint_and_region() -> tuple[str, str]:
    """Where requests from here go, without a user's name or password: empty for Amazon's own; and the region, if set."""
    session = boto3.session.Session()
    endpoint = plain_endpoint(session.client("s3").meta.endpoint_url)
    host = urlsplit(endpoint).hostname or ""
    return "" if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else endpoint, session.region_name or ""


def keeps_versions(bucket: str) -> bool | None:
    """Whether the bucket keeps old versions of objects; None where it does not say."""
    try:
        client: Any = boto3.session.Session().client("s3")
        return client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled"  # type: ignore[no-any-return]
    except (BotoCoreError, ClientError):
        return None


VERSIONS_KEPT = "the bucket keeps old versions, so every beat of every job stays and is billed"
VERSIONS_HINT = (
    "Switch versioning off (aws s3api put-bucket-versioning --versioning-configuration Status=Suspended --bucket NAME), "
    "or expire old versions with a lifecycle rule."
)
