"""Leases that a neighbour forged or altered: no strange job is taken over, and no word of them is signed."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.decisions import MAX_LOSSES
from gpujob.errors import Unavailable, Untrusted
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.records import JobError, Lease, Manifest, PastAttempt
from gpujob.signing.identity import NOBODY, Identity
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


# -- what a neighbour wrote into a lease, and what a worker signs


def forged_lease(of: Manifest, now: float, **changes: Any) -> Lease:
    """A lease that waits for a worker, with the genuine job in it and a neighbour's words."""
    past = PastAttempt(attempt=1, epoch=1, worker="EVIL NAME", ended="lost", at=now, message="EVIL MESSAGE")
    given: dict[str, Any] = {
        "id": of.id,
        "manifest": of,
        "state": "wait",
        "worker": "EVIL WORKER",
        "nonce": "e" * 32,
        "epoch": 1,
        "attempt": 1,
        "ttl_s": 30.0,
        "beat_s": 10.0,
        "expires_at": now + of.ttl_s,
        "history": (past,),
        "error": JobError(type="engine", message="EVIL ERROR"),
    }
    return Lease(**(given | changes))


def test_a_lease_that_says_its_job_has_expired_ends_no_signed_job(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore],
) -> None:
    """What went wrong: the honest worker signed `expired`, because a neighbour had dated the lease back."""
    machine, clock, alice, gpu = later
    job = alice.submit({**ECHO, "ttl": "1h"}).manifest
    write(machine, keys.leased(job.id), forged_lease(job, clock.now(), expires_at=clock.now() - 10).body())
    clock.sleep(60)
    assert gpu.sweeper("v").sweep(20) == 0 and gpu.result(job.id) is None
    held = take_over(gpu)
    assert held is not None and held.record.expires_at == job.created_at + 3600
    held.close()
    clock.sleep(3700)
    assert gpu.sweeper("v").sweep(20) == 1 and alice.wait(job.id).state == "expired"


def test_a_lease_without_named_submitters_is_believed_as_ever(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore],
) -> None:
    machine, clock, alice, _gpu = later
    job = alice.submit(ECHO).manifest
    write(machine, keys.leased(job.id), forged_lease(job, clock.now(), expires_at=clock.now() - 10).body())
    clock.sleep(60)
    trusting = queue(machine, NOBODY, runtime=clock)
    assert trusting.sweeper("v").sweep(20) == 1
    result = trusting.result(job.id)
    assert result is not None and result.state == "expired" and result.history[0].message == "EVIL MESSAGE"


def test_a_job_of_a_submitter_whose_clock_is_ahead_is_not_run_by_who_cannot(parties: Parties) -> None:
    """It waits until its signed ttl has passed, though the store's clock says earlier that it has."""
    machine = TimeMachine(MemoryBucket())
    clock, ahead = ManualRuntime(machine), ManualRuntime(TimeMachine(MemoryBucket()))
    ahead.sleep(7200)
    job = queue(machine, parties.submitter, runtime=ahead).submit({**ECHO, "ttl": "1h"}).manifest
    gpu = queue(machine, parties.worker, runtime=clock)
    clock.sleep(3700)
    assert gpu.poller("w", serves_kind=any_kind, serves=lambda _: False).next() is None
    assert gpu.result(job.id) is None
    clock.sleep(7200)
    assert gpu.poller("v", serves_kind=any_kind, serves=lambda _: False).next() is None
    result = gpu.result(job.id)
    assert result is not None and result.state == "expired"


def test_no_word_of_a_neighbour_gets_into_a_result_that_a_worker_signs(
    alice: JobStore, gpu: JobStore, bucket: Bucket
) -> None:
    """What went wrong: the history and the last worker's name were copied from the lease, and signed."""
    job = alice.submit(ECHO).manifest
    write(bucket, keys.leased(job.id), forged_lease(job, alice.runtime.now()).body())
    assert work(gpu).summary.endings == {"succeeded": 1}
    found = bucket.get(keys.done(job.id))
    assert found is not None and b"EVIL" not in found.body
    result = alice.wait(job.id)
    assert [(past.attempt, past.ended, past.worker, past.message) for past in result.history] == [(1, "lost", "", "")]


@pytest.mark.parametrize("losses", [MAX_LOSSES + 1, 1_000_000])
def test_a_neighbour_with_a_workers_rights_can_have_a_job_given_up_and_no_more(
    alice: JobStore, gpu: JobStore, bucket: Bucket, losses: int
) -> None:
    """The denial that docs/signing.md admits: the count of losses is believed; the words beside it are not."""
    job = alice.submit(ECHO).manifest
    write(bucket, keys.leased(job.id), forged_lease(job, alice.runtime.now(), losses=losses).body())
    work(gpu)
    found = bucket.get(keys.done(job.id))
    assert found is not None and b"EVIL" not in found.body
    result = alice.wait(job.id)
    assert result.error is not None and (result.state, result.error.type) == ("failed", "worker_lost")
    assert result.error.message == f"{losses + 1} workers vanished while they ran this job"
    again = alice.retry(job.id)
    assert work(gpu).summary.endings == {"succeeded": 1} and alice.wait(again.id).state == "succeeded"


def test_a_lost_beat_adopts_nothing_but_the_beat(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore],
) -> None:
    """What went wrong: what a neighbour wrote beside our nonce, all but the job, was taken for our own lease."""
    machine, clock, alice, gpu = later
    job = alice.submit(ECHO).manifest
    held = take_over(gpu)
    assert held is not None
    before = held.record
    forged = forged_lease(job, clock.now(), state="run", nonce=before.nonce, expires_at=clock.now() - 10, losses=5)
    write(machine, keys.leased(job.id), forged.body())
    held.beat()
    assert held.record == before and not held.lost
    held.beat()
    assert settle(held, ended(held.record, "succeeded", now=clock.now()))
    found = machine.get(keys.done(job.id))
    assert found is not None and b"EVIL" not in found.body and alice.wait(job.id).losses == 0


def test_a_worker_does_not_sign_how_a_job_ended_that_it_refused(
    later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore], parties: Parties
) -> None:
    """What went wrong: a neighbour's job under a submitter's id expired at once, and who knows only the workers' keys
    believed that the submitter's had."""
    machine, clock, alice, gpu = later
    job = alice.submit(ECHO).manifest
    short = altered(job).model_copy(update={"ttl_s": 1.0})
    write(machine, pending(job), short.body())
    clock.sleep(60)
    gpu.sweeper("v").sweep(20)
    reader = queue(machine, Identity(workers=(parties.gpu1.public,)), runtime=clock)
    for store in (alice, reader):
        with pytest.raises(Untrusted, match="it is not signed"):
            store.wait(job.id)
