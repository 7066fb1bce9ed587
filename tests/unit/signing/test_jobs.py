"""Jobs that a neighbour forged, altered or put there again: a worker that knows the submitters leaves them alone."""

from __future__ import annotations

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.signing.identity import LATE_S, Identity
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from tests.unit.signing.parties import (
    ECHO,
    Parties,
    altered,
    any_kind,
    doorkeeper,
    pending,
    queue,
    refusals,
    work,
    write,
)


def test_a_signed_job_goes_through_and_each_side_believes_the_other(alice: JobStore, gpu: JobStore) -> None:
    job = alice.submit(ECHO)
    assert work(gpu).summary.endings == {"succeeded": 1}
    found = alice.wait(job.id)
    assert found.output == {"message": "hello"} and found.manifest == job.manifest
    assert (found.signature and found.signature.key) == (gpu.identity.key and gpu.identity.key.public.id)


def test_a_neighbours_job_is_left_alone_with_one_line(
    gpu: JobStore, mallory: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    job = mallory.submit(ECHO)
    work(gpu)
    assert refusals(caplog) == [f"refused {job.id}: it is not signed"]
    assert mallory.status(job.id).state == "queued" and mallory.status(job.id).lease is None


def test_a_workers_key_alone_cannot_forge_a_job(
    bucket: Bucket, gpu: JobStore, parties: Parties, caplog: pytest.LogCaptureFixture
) -> None:
    """The neighbour has stolen all that a worker has: its credentials and its key."""
    job = queue(bucket, Identity(parties.gpu1)).submit(ECHO)
    work(gpu)
    assert refusals(caplog) == [
        f"refused {job.id}: it is signed with the key {parties.gpu1.public.id}, which is not trusted here"
    ]
    assert gpu.result(job.id) is None


def test_an_altered_job_is_refused(
    alice: JobStore, gpu: JobStore, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    job = alice.submit(ECHO).manifest
    write(bucket, pending(job), altered(job).body())
    work(gpu)
    assert len(refusals(caplog)) == 1 and "does not match: it was altered" in refusals(caplog)[0]
    assert gpu.result(job.id) is None


def test_a_job_replayed_under_another_id_is_refused(
    alice: JobStore, gpu: JobStore, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    job = alice.submit(ECHO).manifest
    work(gpu)
    copy = job.model_copy(update={"id": alice.new_id(), "nonce": "another"})
    write(bucket, pending(copy), copy.body())
    work(gpu)
    assert len(refusals(caplog)) == 1 and copy.id in refusals(caplog)[0]
    assert gpu.result(copy.id) is None


def test_a_job_replayed_under_its_own_id_meets_its_result(alice: JobStore, gpu: JobStore, bucket: Bucket) -> None:
    job = alice.submit(ECHO).manifest
    work(gpu)
    before = alice.result(job.id)
    write(bucket, pending(job), job.body())
    assert work(gpu).summary.jobs == 0
    assert alice.result(job.id) == before and bucket.head(pending(job)) is None


def test_a_removed_job_that_is_put_there_again_long_after_is_refused(
    parties: Parties, caplog: pytest.LogCaptureFixture
) -> None:
    """Its result is gone, so nothing but its date says that it has been."""
    machine = TimeMachine(MemoryBucket())
    clock = ManualRuntime(machine)
    alice, gpu = queue(machine, parties.submitter, runtime=clock), queue(machine, parties.worker, runtime=clock)
    job = alice.submit(ECHO).manifest
    machine.delete(pending(job))
    clock.sleep(job.ttl_s + LATE_S - 10)
    write(machine, pending(job), job.body())
    early = gpu.poller("w", serves_kind=any_kind, serves=doorkeeper(gpu)).next()
    assert early is not None, "a submitter's clock may be wrong by a day"
    early.close()
    for key in (pending(job), keys.leased(job.id)):
        machine.delete(key)
    clock.sleep(20)
    write(machine, pending(job), job.body())
    assert gpu.poller("v", serves_kind=any_kind, serves=doorkeeper(gpu)).next() is None
    assert len(refusals(caplog)) == 1 and "so long ago" in refusals(caplog)[0]
