"""What a bucket of Google Cloud Storage keeps of what is overwritten or deleted, and who asks: for `init` and `doctor`.

Invariant: it only asks. What cannot be known with the credentials at hand is None or said to be unknown, never guessed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gpujob.buckets.gcs import GoogleBucket, find_access
from gpujob.buckets.gcs_dialect import GoogleDialect
from gpujob.buckets.gcs_login import HmacKey, Login
from gpujob.errors import BucketError, Configuration

FIELDS = "versioning,softDeletePolicy,lifecycle"
PATIENCE_S = 10.0
DAY_S = 86_400.0
LONGEST_S = 1e9


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """None where nobody may say. With an HMAC key nobody says how long deleted objects are kept (`soft_delete_s`), nor by
    which rules they are deleted (`lifecycle`, as the JSON API has them).
    """

    versioning: bool | None
    soft_delete_s: float | None
    lifecycle: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class Advisory:
    """A sentence about the bucket, and the command that mends it."""

    text: str
    next: str


def credentials_from() -> str:
    """Where the credentials for gs:// come from, for people. Raises `Denied` where there are none."""
    access = find_access()
    if isinstance(access, HmacKey):
        return f"an HMAC key, found by {access.found_by}"
    project = access.project()
    return "this machine's login to Google" + (f", project {project}" if project else "")


def facts_of(bucket: GoogleBucket) -> BucketFacts:
    """What the bucket says of itself."""
    dialect = bucket.place.clients.dialect
    login = dialect.login if isinstance(dialect, GoogleDialect) else None
    described = _described(bucket, login) if login is not None else None
    found = facts_in(described) if described is not None else None
    return found or BucketFacts(_keeps_versions(bucket), None)


def facts_in(described: bytes) -> BucketFacts | None:
    """What the JSON API says of a bucket; None where that is not in the form of its documentation."""
    try:
        answer = json.loads(described)
        policy, versioning, lifecycle = (answer.get(one, {}) for one in ("softDeletePolicy", "versioning", "lifecycle"))
        kept_s = float(policy.get("retentionDurationSeconds", 0.0))
        rules = tuple(dict(one) for one in lifecycle.get("rule", ()))
        return BucketFacts(bool(versioning.get("enabled")), kept_s, rules) if 0 <= kept_s <= LONGEST_S else None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def advisories(name: str, facts: BucketFacts) -> list[Advisory]:
    """What to do about a bucket that keeps what a queue overwrites: each beat of each job is billed as long as it stays."""
    found = []
    update = f"gcloud storage buckets update gs://{name}"
    billed = "so every beat of every job stays and is billed"
    if facts.versioning:
        found.append(Advisory(f"the bucket keeps old versions, {billed}", f"{update} --no-versioning"))
    if facts.soft_delete_s:
        days = f"{facts.soft_delete_s / DAY_S:.3g} days"
        text = f"the bucket keeps what is overwritten or deleted for {days} (soft delete), {billed} so long"
        found.append(Advisory(text, f"{update} --clear-soft-delete"))
    if facts.soft_delete_s is None:
        text = "an HMAC key may not ask whether the bucket keeps what is deleted (soft delete, which new buckets have)"
        found.append(Advisory(text, f"{update} --clear-soft-delete"))
    return found


def _keeps_versions(bucket: GoogleBucket) -> bool | None:
    place = bucket.place
    try:
        answer: Any = place.ask("GET", "", lambda: place.clients.requests.get_bucket_versioning(Bucket=place.name))
    except (BucketError, Configuration):
        return None
    return answer.get("Status") == "Enabled"  # type: ignore[no-any-return]


def _described(bucket: GoogleBucket, login: Login) -> bytes | None:
    """The bucket as the JSON API describes it, which takes tokens only; None where it does not."""
    import urllib3

    place = bucket.place
    address = f"{place.endpoint}/storage/v1/b/{quote(place.name, safe='')}?fields={FIELDS}"
    try:
        headers = {"Authorization": f"Bearer {login.token()}"}
        with urllib3.PoolManager(timeout=PATIENCE_S, retries=1) as http:
            answer = http.request("GET", address, headers=headers, redirect=False)
            return answer.data if answer.status == 200 else None
    except (BucketError, Configuration, urllib3.exceptions.HTTPError):
        return None
