"""Idempotency keys that a neighbour took: they lead nobody to another job's result."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Conflict, CorruptRecord, Untrusted
from gpujob.protocol.submit import Submitted
from gpujob.records import Manifest
from gpujob.signing.identity import Identity
from tests.unit.signing.parties import (
    ECHO,
    Parties,
    queue,
    work,
    write,
)

REPORT = {"kind": "echo", "input": {"message": "report"}, "idempotency_key": "report-b"}


def forged_holder(bucket: Bucket, old: Manifest, **changes: Any) -> None:
    """A neighbour takes the idempotency key of the report for an old job, before the report is submitted."""
    found = old.model_copy(update={"idempotency_key": "report-b", "spec_sha256": the_report().spec_sha256} | changes)
    write(bucket, keys.unique("report-b"), found.body())


def the_report() -> Manifest:
    """The job that the report's spec makes, in a queue of its own."""
    return JobStore(MemoryBucket()).submit(REPORT).manifest


def test_an_idempotency_key_leads_nobody_to_the_result_of_another_job(
    alice: JobStore, gpu: JobStore, mallory: JobStore, bucket: Bucket
) -> None:
    """What went wrong: the holder's own word for its spec was believed, so that a true result of an old job was waited for."""
    old = alice.submit(ECHO).manifest
    work(gpu)
    forged_holder(bucket, old)
    for store in (alice, mallory):
        with pytest.raises(CorruptRecord, match="is not that of its spec and files"):
            store.submit(REPORT)
    (finding,) = mallory.fsck()
    assert finding.key == keys.unique("report-b"), "whoever may, frees it"


def test_an_idempotency_key_that_names_an_old_job_with_the_new_spec_is_refused(
    alice: JobStore, gpu: JobStore, bucket: Bucket, parties: Parties
) -> None:
    """By its signature where submitters are known; else by the job that is found under its id."""
    old = alice.submit(ECHO).manifest
    work(gpu)
    forged_holder(bucket, old, spec=the_report().spec)
    with pytest.raises(Untrusted, match=r"'report-b' stands for job .* was altered"):
        alice.submit(REPORT)
    only_reads = queue(bucket, Identity(workers=(parties.gpu1.public,)))
    with pytest.raises(CorruptRecord, match="is there with another spec"):
        only_reads.submit(REPORT)


def test_a_signed_job_copied_under_another_idempotency_key_is_refused(
    alice: JobStore, gpu: JobStore, bucket: Bucket
) -> None:
    old = alice.submit({**REPORT, "idempotency_key": "report-a"}).manifest
    work(gpu)
    write(bucket, keys.unique("report-b"), old.body())
    with pytest.raises(CorruptRecord, match="has another idempotency key"):
        alice.submit(REPORT)


def test_an_idempotency_key_that_a_neighbour_holds_is_refused(
    alice: JobStore, gpu: JobStore, mallory: JobStore
) -> None:
    """What went wrong: the neighbour's job was taken for one's own; unsigned as it was, it waited for ever."""
    mallory.submit(REPORT)
    with pytest.raises(Untrusted, match="it is not signed") as caught:
        alice.submit(REPORT)
    assert caught.value.hint is not None and "Choose another key" in caught.value.hint
    assert mallory.submit(REPORT).already, "who trusts all still meets it"


def test_an_idempotency_key_of_ones_own_or_of_a_known_submitter_is_met_again(
    alice: JobStore, gpu: JobStore, bucket: Bucket, parties: Parties
) -> None:
    first = alice.submit(REPORT)
    work(gpu)
    assert alice.submit(REPORT) == Submitted(first.manifest, already=True)
    colleague = queue(bucket, Identity(parties.mallory, submitters=(parties.alice.public,)))
    assert colleague.submit(REPORT).id == first.id
    with pytest.raises(Conflict):
        alice.submit({**ECHO, "idempotency_key": "report-b"})
