"""Jobs and leases that a neighbour forged, altered or put there again: a worker that knows the submitters leaves them alone."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Conflict, Unavailable
from gpujob.protocol.lease import HeldLease
from gpujob.records import Lease
from gpujob.signing.identity import LATE_S, Identity
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from tests.unit.protocol.scripted import Order, ScriptedBucket
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

LATER_S = 1_000.0


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


def test_an_idempotency_key_that_a_neighbour_holds_stays_the_neighbours(
    alice: JobStore, gpu: JobStore, mallory: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The manifest found under the key goes into the queue as it is, unsigned, and no worker runs it."""
    spec = {**ECHO, "idempotency_key": "tour-1"}
    theirs = mallory.submit(spec)
    ours = alice.submit(spec)
    assert ours.already and ours.id == theirs.id and ours.manifest.signature is None
    work(gpu)
    assert refusals(caplog) == [f"refused {ours.id}: it is not signed"]
    with pytest.raises(Conflict):
        alice.submit({"kind": "echo", "input": {"message": "other"}, "idempotency_key": "tour-1"})


# -- leases


def expired_lease(machine: TimeMachine, clock: ManualRuntime, gpu: JobStore) -> Lease:
    """The lease of a worker that died, as it can be taken over."""
    held = gpu.poller("dead", serves_kind=any_kind, serves=doorkeeper(gpu)).next()
    assert held is not None
    held.close()
    clock.sleep(LATER_S)
    return held.record


def take_over(gpu: JobStore) -> Any:
    return gpu.poller("next", serves_kind=any_kind, serves=doorkeeper(gpu)).next()


def test_a_dead_workers_lease_is_taken_over(later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore]) -> None:
    machine, clock, alice, gpu = later
    alice.submit(ECHO)
    expired_lease(machine, clock, gpu)
    held = take_over(gpu)
    assert held is not None and held.record.epoch == 2


def test_a_lease_whose_job_a_neighbour_altered_is_not_taken_over(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore], caplog: pytest.LogCaptureFixture
) -> None:
    machine, clock, alice, gpu = later
    job = alice.submit(ECHO).manifest
    lease = expired_lease(machine, clock, gpu)
    forged = lease.model_copy(update={"manifest": altered(job)})
    write(machine, keys.leased(job.id), forged.body())
    clock.sleep(LATER_S)
    assert take_over(gpu) is None
    assert len(refusals(caplog)) == 1 and "it was altered" in refusals(caplog)[0]


def test_a_lease_that_holds_another_signed_job_is_not_taken_over(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore],
) -> None:
    """What went wrong: the lease's own id was never compared with its job's, so a signed job ran as another one."""
    machine, clock, alice, gpu = later
    first = alice.submit(ECHO).manifest
    lease = expired_lease(machine, clock, gpu)
    second = alice.submit({"kind": "echo", "input": {"message": "second"}}).manifest
    write(machine, keys.leased(first.id), lease.model_copy(update={"manifest": second}).body())
    clock.sleep(LATER_S)
    held = take_over(gpu)
    assert held is not None and held.id == second.id == held.manifest.id
    assert take_over(gpu) is None


def test_a_worker_goes_on_with_the_job_that_it_looked_at(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore],
) -> None:
    """What went wrong: a beat that was lost to a neighbour with our nonce took the neighbour's job for its own."""
    machine, _clock, alice, gpu = later
    job = alice.submit(ECHO).manifest
    held = take_over(gpu)
    assert held is not None
    forged = held.record.model_copy(update={"manifest": altered(job)})
    write(machine, keys.leased(job.id), forged.body())
    held.beat()
    assert held.manifest == job, "the beat was lost, and adopted what stands there"
    held.beat()
    found = machine.get(keys.leased(job.id))
    assert found is not None and Lease.model_validate_json(found.body).manifest == job


def test_a_claim_whose_outcome_came_late_runs_the_job_that_it_claimed(parties: Parties) -> None:
    """What went wrong: a claim of unknown outcome, met again by its nonce, took the job that stood there by then."""
    bucket = ScriptedBucket(MemoryBucket())
    alice, gpu = queue(bucket, parties.submitter), queue(bucket, parties.worker)
    job = alice.submit(ECHO).manifest
    lost = Unavailable("the connection broke")
    bucket.orders += [Order("create", keys.LEASED, lost, applied=True), Order("get", keys.LEASED, lost)]
    claimer = gpu.claimer("w", doorkeeper(gpu))
    assert not isinstance(claimer.claim(pending(job)), HeldLease) and bucket.left() == []
    standing = bucket.get(keys.leased(job.id))
    assert standing is not None
    lease = Lease.model_validate_json(standing.body)
    write(bucket, keys.leased(job.id), lease.model_copy(update={"manifest": altered(job)}).body())
    held = claimer.claim(pending(job))
    assert isinstance(held, HeldLease) and held.manifest == job
    held.close()
