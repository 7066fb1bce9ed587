"""How the bucket is set up, as far as a queue cares: old versions, lifecycle rules, locks, encryption.

Invariant: what these credentials may not ask is gathered into one finding, and is never taken for an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.errors import GpujobError
from gpujob.records import QueueConfig
from gpujob.specs.quantities import format_size
from gpujob_cli import costs
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.lifecycle_rules import Rule, dangers, old_versions_days, rules_of
from gpujob_cli.examinations.s3_asking import Answer, S3Asking

SUSPEND = "aws s3api put-bucket-versioning --versioning-configuration Status=Suspended --bucket {bucket}"
EXPIRE = "a lifecycle rule that expires noncurrent versions after a day (NoncurrentVersionExpiration)"

QUESTIONS: Mapping[str, str] = {
    "versions": "get_bucket_versioning",
    "lifecycle": "get_bucket_lifecycle_configuration",
    "lock": "get_object_lock_configuration",
    "encryption": "get_bucket_encryption",
}


def answers(asking: S3Asking) -> dict[str, Answer]:
    """The store's answers to all questions, by check."""
    return {
        check: asking.ask(partial(_question(asking, name), Bucket=asking.name)) for check, name in QUESTIONS.items()
    }


def look(asking: S3Asking, bucket: Bucket, config: QueueConfig) -> Iterator[Finding]:
    """The findings on the bucket's settings."""
    found = answers(asking)
    yield from judged(
        found, asking.name, asking.prefix, config, lease_bytes(bucket), costs.prices_at(asking.place.endpoint)
    )


def judged(
    found: Mapping[str, Answer],
    bucket: str,
    prefix: str,
    config: QueueConfig,
    lease_bytes: float,
    prices: costs.Prices | None,
) -> Iterator[Finding]:
    """The answers as findings. `lease_bytes` is the size of one beat."""
    rules = rules_of(found["lifecycle"].value)
    keeps = found["versions"].value.get("Status") == "Enabled"
    if found["versions"].given and keeps:
        expiry = old_versions_days(rules, prefix)
        yield _versions(bucket, costs.old_versions(config, lease_bytes), expiry, prices)
    elif found["versions"].kind in ("given", "absent", "unsupported"):
        yield Finding("versions", "ok", "none are kept", facts={"kept": False})
    if found["lifecycle"].given:
        yield from lifecycle(rules, prefix, config)
    elif found["lifecycle"].kind in ("absent", "unsupported"):
        yield Finding("lifecycle", "ok", "no rules", facts={"rules": 0})
    yield from _lock(found["lock"])
    yield from _encryption(found["encryption"])
    yield from _unseen(found)


def _versions(bucket: str, month: costs.OldVersions, expiry_days: float | None, prices: costs.Prices | None) -> Finding:
    text = f"the bucket keeps old versions, and every beat is one: {month.an_hour:,.0f} in an hour of a job"
    text += f", about {month.a_month:,.0f} and {format_size(round(month.bytes_a_month))} a month for a busy worker"
    if prices is not None and prices.stored:
        text += f", ${prices.stored * month.bytes_a_month / 1e9:.2f} more for each month that they stay"
    facts: dict[str, Any] = {
        "kept": True,
        "beats_an_hour": month.an_hour,
        "a_month": month.a_month,
        "bytes_a_month": month.bytes_a_month,
    }
    facts["expire_after_days"] = expiry_days
    if expiry_days is not None:
        return Finding("versions", "ok", f"{text}; a lifecycle rule ends them after {expiry_days:g} days", facts=facts)
    return Finding("versions", "note", text, f"{SUSPEND.format(bucket=bucket)}; or make {EXPIRE}", facts=facts)


def lifecycle(rules: list[Rule], prefix: str, config: QueueConfig) -> Iterator[Finding]:
    """The findings on rules that delete or move what is in the queue under `prefix`."""
    found = dangers(rules, prefix, config.retention_s)
    for danger in found:
        remedy = "disable the rule: retention is the workers' and `gpujob gc`'s affair" if danger.fatal else ""
        facts = {"rule": danger.rule.name, "prefix": danger.rule.prefix}
        yield Finding("lifecycle", "broken" if danger.fatal else "note", danger.text, remedy, facts=facts)
    if not found:
        text = f"{len(rules)} rule{'' if len(rules) == 1 else 's'}, harmless to the queue"
        yield Finding("lifecycle", "ok", text, facts={"rules": len(rules)})


def _lock(answer: Answer) -> Iterator[Finding]:
    lock = answer.value.get("ObjectLockConfiguration") or {}
    kept = (lock.get("Rule") or {}).get("DefaultRetention") or {}
    if lock.get("ObjectLockEnabled") != "Enabled":
        return
    for unit in ("Days", "Years"):
        if kept.get(unit):
            text = (
                f"every object is locked for {kept[unit]} {unit.lower()} ({kept.get('Mode', '')}): deletes only hide, "
            )
            text += "so each beat of each job stays and is billed until then"
            remedy = "take the default retention off the bucket, or use a bucket without object lock"
            yield Finding("lock", "note", text, remedy, facts={"mode": kept.get("Mode"), unit.lower(): kept[unit]})


def _encryption(answer: Answer) -> Iterator[Finding]:
    rules = (answer.value.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or ()
    for rule in rules:
        how = (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm", "")
        if how.startswith("aws:kms") and not rule.get("BucketKeyEnabled"):
            text = (
                f"{how} without a bucket key: each request also asks the key service, which is billed and may throttle"
            )
            remedy = "switch the bucket key on (BucketKeyEnabled), or use AES256"
            yield Finding("encryption", "note", text, remedy, facts={"algorithm": how, "bucket_key": False})


def _unseen(found: Mapping[str, Answer]) -> Iterator[Finding]:
    hidden = [check for check, answer in found.items() if answer.kind in ("denied", "silent")]
    if hidden:
        text = f"not known: these credentials may not ask for {', '.join(hidden)}, as it should be for a worker or submitter"
        yield Finding(
            "unseen", "note", text, "run `gpujob doctor` once as the bucket's owner", facts={"checks": hidden}
        )


def _question(asking: S3Asking, name: str) -> Callable[..., Any]:
    question: Callable[..., Any] = getattr(asking.client, name)
    return question


def lease_bytes(bucket: Bucket) -> float:
    """How large a beat is here: the leases that there are, or a usual one."""
    try:
        sizes = [entry.size_bytes for entry in bucket.list(keys.LEASED).entries]
    except GpujobError:
        sizes = []
    return sum(sizes) / len(sizes) if sizes else costs.USUAL_LEASE_BYTES
