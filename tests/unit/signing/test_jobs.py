"""Jobs and leases that a neighbour forged, altered or put there again: a worker that knows the submitters leaves them alone."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.decisions import MAX_LOSSES
from gpujob.errors import Conflict, CorruptRecord, Unavailable, Untrusted
from gpujob.protocol.claim import settle
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.protocol.submit import Submitted
from gpujob.records import JobError, Lease, Manifest, PastAttempt
from gpujob.signing.identity import LATE_S, NOBODY, Identity
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
