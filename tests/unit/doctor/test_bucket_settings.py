"""A bucket's settings as findings, from answers as the vendors document them: AWS's locks and keys cannot be had here."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob.records import QueueConfig
from gpujob_cli import costs
from gpujob_cli.examinations.bucket_settings import QUESTIONS, judged
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.s3_asking import Answer

ABSENT = Answer("absent")
KEPT = Answer("given", {"Status": "Enabled"})


def findings(prices: costs.Prices | None = costs.S3, **given: Answer) -> dict[str, Finding]:
    answers = {**dict.fromkeys(QUESTIONS, ABSENT), **given}
    return {one.check: one for one in judged(answers, "b", "q/", QueueConfig(), 2048.0, prices)}


def test_a_plain_bucket_has_nothing_to_say() -> None:
    found = findings()
    assert {name: one.status for name, one in found.items()} == {"versions": "ok", "lifecycle": "ok"}


def test_old_versions_are_counted_and_priced() -> None:
    found = findings(versions=KEPT)["versions"]
    beats = 360 * 720 + 43200
    assert (found.status, found.facts["a_month"]) == ("note", beats)
    assert found.facts["bytes_a_month"] == pytest.approx(360 * 720 * 2048 + 43200 * 1024)
    assert "302,400" in found.text and "$0.01 more" in found.text
    assert "--bucket b" in found.next and "NoncurrentVersionExpiration" in found.next
    assert "$" not in findings(None, versions=KEPT)["versions"].text


def test_suspended_versions_are_none() -> None:
    assert findings(versions=Answer("given", {"Status": "Suspended"}))["versions"].facts == {"kept": False}


def test_what_may_not_be_asked_is_one_note_and_no_answer() -> None:
    found = findings(versions=Answer("denied"), lifecycle=Answer("denied"), lock=Answer("silent"))
    assert set(found) == {"unseen"}
    assert found["unseen"].facts["checks"] == ["versions", "lifecycle", "lock"]


def test_a_store_that_knows_no_such_setting_has_none() -> None:
    unsupported = Answer("unsupported", code="NotImplemented")
    found = findings(versions=unsupported, lifecycle=unsupported, lock=unsupported, encryption=unsupported)
    assert set(found) == {"versions", "lifecycle"} and all(one.status == "ok" for one in found.values())


@pytest.mark.parametrize(("unit", "said"), [("Days", "7 days"), ("Years", "7 years")])
def test_a_default_retention_is_noted(unit: str, said: str) -> None:
    retention: Any = {"Mode": "COMPLIANCE", unit: 7}
    lock = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}}
    found = findings(lock=Answer("given", lock))["lock"]
    assert found.status == "note" and said in found.text and "COMPLIANCE" in found.text


def test_a_lock_without_a_default_locks_nothing_of_ours() -> None:
    assert "lock" not in findings(lock=Answer("given", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}))


@pytest.mark.parametrize(
    ("algorithm", "bucket_key", "noted"),
    [("aws:kms", False, True), ("aws:kms:dsse", False, True), ("aws:kms", True, False), ("AES256", False, False)],
)
def test_a_key_service_asked_at_each_request_is_noted(algorithm: str, bucket_key: bool, noted: bool) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": bucket_key}
    found = findings(encryption=Answer("given", {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}))
    assert ("encryption" in found) is noted
