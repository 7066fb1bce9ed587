"""What is different on Google Cloud Storage: who asks, what is kept of what is deleted, and rules in Google's words.

Invariant: with an HMAC key, which may not ask, nothing is said of soft delete, of lifecycle rules and of whose key it is but
that it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from gpujob.buckets.base import Bucket
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_size
from gpujob_cli import costs
from gpujob_cli.examinations import public_access, rights
from gpujob_cli.examinations.bucket_settings import lease_bytes, lifecycle
from gpujob_cli.examinations.credentials import masked
from gpujob_cli.examinations.findings import Finding, together
from gpujob_cli.examinations.lifecycle_rules import Rule, days_of
from gpujob_cli.examinations.s3_asking import S3Asking

if TYPE_CHECKING:
    from gpujob.buckets.gcs import GoogleBucket

ONLY_OLD_VERSIONS = ("daysSinceNoncurrentTime", "noncurrentTimeBefore", "numNewerVersions")
NEVER_OURS = ("customTimeBefore", "daysSinceCustomTime")  # objects of a queue have no such time


def is_google(bucket: Bucket) -> TypeGuard[GoogleBucket]:
    """Whether the bucket speaks Google's dialect."""
    from gpujob.buckets.gcs import GoogleBucket

    return isinstance(bucket, GoogleBucket)


def credentials() -> Iterator[Finding]:
    """The HMAC key, or the login to Google. Raises `Denied` where there is neither."""
    from gpujob.buckets.gcs import find_access
    from gpujob.buckets.gcs_facts import credentials_from
    from gpujob.buckets.gcs_login import HmacKey

    access = find_access()
    if isinstance(access, HmacKey):
        facts = {"access_key": masked(access.access_id), "from": access.found_by, "kind": "hmac"}
        yield Finding("credentials", "ok", f"{masked(access.access_id)}, {credentials_from()}", facts=facts)
    else:
        facts = {"from": "login", "kind": "oauth"}
        yield Finding("credentials", "ok", f"{credentials_from()}; its tokens renew themselves", facts=facts)


def look(bucket: GoogleBucket, asking: S3Asking, config: QueueConfig) -> Iterator[Finding]:
    """The findings on the bucket and who may reach it."""
    yield from together(
        [
            ("identity", lambda: identity(bucket)),
            ("rights", lambda: rights.look(asking)),
            ("public", lambda: public_access.without_credentials(asking)),
            ("versions", lambda: _settings(bucket, config)),
        ]
    )


def identity(bucket: GoogleBucket) -> Iterator[Finding]:
    """Whom Google takes us for, as far as google-auth knows; of an HMAC key's owner Google tells only the owner."""
    from gpujob.buckets.gcs_dialect import GoogleDialect

    dialect = bucket.place.clients.dialect
    login = dialect.login if isinstance(dialect, GoogleDialect) else None
    account = login.account() if login is not None else ""
    facts = {"account": account}
    if account:
        yield Finding("identity", "ok", account, facts=facts)
    elif login is not None:
        yield Finding("identity", "note", "not known: this login does not say whose it is", facts=facts)
    else:
        text = "not known: an HMAC key does not say which account it belongs to"
        yield Finding("identity", "note", text, "gcloud storage hmac list --long", facts=facts)


def rules_of(rows: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """The lifecycle rules of the JSON API, one for each prefix; those for objects that no queue has are left out.

    See https://cloud.google.com/storage/docs/json_api/v1/buckets#lifecycle
    """
    return [rule for row in rows for rule in _rules(_within(row, "action"), _within(row, "condition"))]


def _within(row: Any, name: str) -> Mapping[str, Any]:
    """An object in a row; empty where either is none."""
    found = row.get(name) if isinstance(row, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _rules(action: Mapping[str, Any], condition: Mapping[str, Any]) -> Iterator[Rule]:
    if any(name in condition for name in NEVER_OURS):
        return
    kind = str(action.get("type", ""))
    old = condition.get("isLive") is False or any(name in condition for name in ONLY_OLD_VERSIONS)
    old_days = condition.get("daysSinceNoncurrentTime", 0)
    prefixes = condition.get("matchesPrefix")
    for prefix in prefixes if prefixes and isinstance(prefixes, list) else ("",):
        yield Rule(
            name=kind,
            prefix=str(prefix),
            deletes=kind == "Delete" and not old,
            days=days_of(condition.get("age")),
            old_versions_days=days_of(old_days) if kind == "Delete" and old else None,
            ends_uploads=kind == "AbortIncompleteMultipartUpload",
            moves_to=(str(action.get("storageClass", "")),) if kind == "SetStorageClass" else (),
        )


def _settings(bucket: GoogleBucket, config: QueueConfig) -> Iterator[Finding]:
    from gpujob.buckets.gcs_facts import advisories, facts_of

    facts = facts_of(bucket)
    month = costs.old_versions(config, lease_bytes(bucket))
    size = format_size(round(month.bytes_a_month))
    amount = f"{month.an_hour:,.0f} in an hour of a job, about {size} a month for a busy worker"
    kept = {"kept": facts.versioning, "soft_delete_s": facts.soft_delete_s, "beats_an_hour": month.an_hour}
    advice = advisories(bucket.place.name, facts)
    for one in advice:
        yield Finding("versions", "note", f"{one.text}; beats are {amount}", one.next, facts=kept)
    if not advice and facts.versioning is not None:
        yield Finding("versions", "ok", "none are kept, nor is what is deleted", facts=kept)
    hidden = [name for name, fact in (("versions", facts.versioning), ("lifecycle", facts.lifecycle)) if fact is None]
    if facts.lifecycle is not None:
        yield from lifecycle(rules_of(facts.lifecycle), bucket.place.prefix, config)
    if hidden:
        text = f"not known: these credentials may not ask for {', '.join(hidden)}"
        remedy = f"gcloud storage buckets describe gs://{bucket.place.name}"
        yield Finding("unseen", "note", text, remedy, facts={"checks": hidden})
