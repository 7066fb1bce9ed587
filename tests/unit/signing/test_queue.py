"""A queue in memory and in a folder with a hostile neighbour, who has all that a worker's credentials allow but no key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.folder import FolderBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.chance import Random
from gpujob.errors import Configuration, Conflict, Unavailable, Untrusted
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.results import ended
from gpujob.protocol.waiting import wait
from gpujob.records import Lease, Manifest, QueueConfig, Result
from gpujob.signing.identity import LATE_S, NOBODY, Identity
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob.why import ask
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker
from tests.unit.protocol.scripted import Order, ScriptedBucket
from tests.unit.signing.parties import Parties, queue, work

ECHO = {"kind": "echo", "input": {"message": "hello"}}
LATER_S = 1_000.0


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


@pytest.fixture(params=["memory", "folder"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    return MemoryBucket() if request.param == "memory" else FolderBucket(tmp_path / "queue")


@pytest.fixture
def alice(bucket: Bucket, parties: Parties) -> JobStore:
    """The queue as the submitter sees it."""
    return queue(bucket, parties.submitter)


@pytest.fixture
def gpu(bucket: Bucket, parties: Parties) -> JobStore:
    """The queue as the worker sees it."""
    return queue(bucket, parties.worker)


@pytest.fixture
def mallory(bucket: Bucket) -> JobStore:
    """The queue as a neighbour sees it."""
    return queue(bucket, NOBODY)


def write(bucket: Bucket, key: str, body: bytes) -> None:
    """As a neighbour writes: whatever stands there."""
    found = bucket.head(key)
    if found is None:
        bucket.create(key, body)
    else:
        bucket.replace(key, body, found.version)


def pending(manifest: Manifest) -> str:
    return keys.pending(manifest.priority, manifest.id, manifest.kind)


def altered(manifest: Manifest) -> Manifest:
    """The job with another message."""
    return manifest.model_copy(update={"spec": {**manifest.spec, "input": {"message": "evil"}}})


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused ")]


# -- jobs


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
    early = gpu.poller("w", serves_kind=_any, serves=_doorkeeper(gpu)).next()
    assert early is not None, "a submitter's clock may be wrong by a day"
    early.close()
    for key in (pending(job), keys.leased(job.id)):
        machine.delete(key)
    clock.sleep(20)
    write(machine, pending(job), job.body())
    assert gpu.poller("v", serves_kind=_any, serves=_doorkeeper(gpu)).next() is None
    assert len(refusals(caplog)) == 1 and "so long ago" in refusals(caplog)[0]


def _any(kind: str) -> bool:
    return True


def _doorkeeper(store: JobStore) -> Callable[[Manifest], bool]:
    from gpujob_worker.trusting import Doorkeeper

    return Doorkeeper(store.identity, store.runtime.now).admits


# -- leases


def expired_lease(machine: TimeMachine, clock: ManualRuntime, gpu: JobStore) -> Lease:
    """The lease of a worker that died, as it can be taken over."""
    held = gpu.poller("dead", serves_kind=_any, serves=_doorkeeper(gpu)).next()
    assert held is not None
    held.close()
    clock.sleep(LATER_S)
    return held.record


@pytest.fixture
def later(parties: Parties) -> tuple[TimeMachine, ManualRuntime, JobStore, JobStore]:
    """A queue whose clock a test moves: its bucket, the clock, and the submitter's and the worker's view."""
    machine = TimeMachine(MemoryBucket())
    clock = ManualRuntime(machine)
    return (
        machine,
        clock,
        queue(machine, parties.submitter, runtime=clock),
        queue(machine, parties.worker, runtime=clock),
    )


def take_over(gpu: JobStore) -> Any:
    return gpu.poller("next", serves_kind=_any, serves=_doorkeeper(gpu)).next()


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
    claimer = gpu.claimer("w", _doorkeeper(gpu))
    assert not isinstance(claimer.claim(pending(job)), HeldLease) and bucket.left() == []
    standing = bucket.get(keys.leased(job.id))
    assert standing is not None
    lease = Lease.model_validate_json(standing.body)
    write(bucket, keys.leased(job.id), lease.model_copy(update={"manifest": altered(job)}).body())
    held = claimer.claim(pending(job))
    assert isinstance(held, HeldLease) and held.manifest == job
    held.close()


# -- results


def forged_result(store: JobStore, job: Manifest, state: str = "succeeded", **more: Any) -> Result:
    """What a neighbour writes into done/."""
    lease = Lease(
        id=job.id, manifest=job, state="run", worker="w", nonce="evil", epoch=1, attempt=1, ttl_s=30, beat_s=10,
        expires_at=store.runtime.now() + 100,
    )  # fmt: skip
    return ended(lease, state, now=store.runtime.now(), output={"message": "evil"}, **more)  # type: ignore[arg-type]


def looks(alice: JobStore, job: Manifest, result: Result, tmp_path: Path) -> list[Callable[[], object]]:
    """Each way in which the library hands a result out."""
    return [
        lambda: alice.result(job.id),
        lambda: alice.wait(job.id, timeout_s=0),
        lambda: alice.download(result, tmp_path / "out"),
        lambda: alice.checked(job.id, result),
    ]


@pytest.mark.parametrize("state", ["succeeded", "failed", "expired", "cancelled"])
@pytest.mark.parametrize("by", ["nobody", "a stranger", "the submitter", "the worker"])
def test_a_result_is_believed_by_who_signed_it_and_how_it_ends(
    alice: JobStore, mallory: JobStore, bucket: Bucket, parties: Parties, tmp_path: Path, state: str, by: str
) -> None:
    signer = {"a stranger": parties.mallory, "the submitter": parties.gpu1, "the worker": parties.gpu1}.get(by)
    reader = alice
    if by == "the submitter":  # who reads is another one: one's own key would count
        signer = parties.alice
        reader = queue(bucket, Identity(submitters=(parties.alice.public,), workers=(parties.gpu1.public,)))
    job = alice.submit(ECHO).manifest
    forged = Identity(signer).signed_result(forged_result(mallory, job, state))
    write(bucket, keys.done(job.id), forged.body())
    good = by == "the worker" or (by == "the submitter" and state == "cancelled")
    for look in looks(reader, job, forged, tmp_path):
        if good:
            look()
        else:
            with pytest.raises(Untrusted):
                look()
    assert wait(mallory.context, job.id, timeout_s=0, on_look=None, patience_s=1).output, "who trusts all sees it"


def test_a_result_moved_to_another_job_is_not_believed(alice: JobStore, gpu: JobStore, bucket: Bucket) -> None:
    first = alice.submit(ECHO)
    work(gpu)
    second = alice.submit(ECHO)
    found = alice.result(first.id)
    assert found is not None
    with pytest.raises(Untrusted, match="another job"):
        alice.checked(second.id, found)


def test_cancelling_is_signed_by_whoever_cancels(alice: JobStore, gpu: JobStore, mallory: JobStore) -> None:
    job = alice.submit(ECHO)
    assert alice.cancel(job.id)[1]
    assert alice.wait(job.id).state == "cancelled"
    other = alice.submit(ECHO)
    mallory.cancel(other.id)
    with pytest.raises(Untrusted, match="it is not signed"):
        alice.wait(other.id)


def test_expiry_by_a_sweeping_worker_is_signed(later: tuple[TimeMachine, ManualRuntime, JobStore, JobStore]) -> None:
    _machine, clock, alice, gpu = later
    job = alice.submit({**ECHO, "ttl": "1h"})
    clock.sleep(3700)
    assert gpu.sweeper("w").sweep(20) == 1
    assert alice.wait(job.id).state == "expired"


def test_a_retry_signs_the_new_job_and_never_what_a_neighbour_wrote(
    alice: JobStore, gpu: JobStore, mallory: JobStore, bucket: Bucket
) -> None:
    job = alice.submit(ECHO)
    work(gpu)
    again = alice.retry(job.id)
    assert again.manifest.signature is not None and again.manifest.signature != job.manifest.signature
    assert work(gpu).summary.endings == {"succeeded": 1}
    fake = mallory.submit(ECHO)
    write(bucket, keys.done(fake.id), forged_result(mallory, fake.manifest, "failed").body())
    with pytest.raises(Untrusted, match="it is not signed"):
        alice.retry(fake.id)


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


# -- a queue of signed jobs


def test_a_signed_queue_tells_who_has_no_key_what_to_do(bucket: Bucket, parties: Parties) -> None:
    config = QueueConfig(signed=True)
    with pytest.raises(Configuration) as caught:
        queue(bucket, NOBODY, config=config).submit(ECHO)
    assert caught.value.hint is not None and "gpujob keys new" in caught.value.hint
    assert list(bucket.list("").entries) == []
    queue(bucket, parties.submitter, config=config).submit(ECHO)
    with pytest.raises(Configuration, match="knows no submitter's key"):
        work(queue(bucket, Identity(parties.gpu1), config=config))
    assert work(queue(bucket, parties.worker, config=config)).summary.jobs == 1


def test_a_waiting_job_says_that_nobody_trusts_it(alice: JobStore, gpu: JobStore, mallory: JobStore) -> None:
    worker = Worker(gpu, [EchoExecutor()], worker_id="w", limits=Limits(idle_exit_s=0.0))
    worker._keeper_state("idle", None)
    worker._say_alive()
    unsigned = ask(alice.context, alice.status(mallory.submit(ECHO).id))
    assert (unsigned.code, unsigned.text) == (
        "no_worker_fits",
        "the workers take signed jobs only, and this one is not signed",
    )
    stranger = queue(alice.bucket, Identity(Parties().mallory))
    strange = ask(alice.context, alice.status(stranger.submit(ECHO).id))
    assert strange.code == "no_worker_fits" and "no worker trusts the key" in strange.text
    assert ask(alice.context, alice.status(alice.submit(ECHO).id)).code == "starting"


def test_signing_costs_no_request(bucket: Bucket, parties: Parties) -> None:
    def bill(submitter: Identity, worker: Identity) -> dict[str, int]:
        counting = CountingBucket(MemoryBucket())
        alice = queue(counting, submitter, rng=Random(1))
        job = alice.submit(ECHO)
        work(queue(counting, worker, rng=Random(1)))
        assert alice.result(job.id) is not None
        return dict(counting.billed())

    assert bill(parties.submitter, parties.worker) == bill(NOBODY, NOBODY)


# -- the cache


STEP = {"text": "Hello", "voice": "af_heart"}


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    path = tmp_path / "step.wav"
    path.write_bytes(b"sound" * 100)
    return path


def test_a_cached_step_is_used_by_who_trusts_its_worker(gpu: JobStore, tmp_path: Path, payload: Path) -> None:
    from gpujob.cache import BucketStepCache

    BucketStepCache(gpu.context).put(STEP, payload, {"samples": 1, "volume": 2.5, "name": "grüße"})
    found = BucketStepCache(gpu.context).get(STEP, tmp_path / "out.wav")
    assert found == {"samples": 1, "volume": 2.5, "name": "grüße"}


def test_a_neighbours_step_is_not_used_and_gives_way(
    gpu: JobStore, mallory: JobStore, tmp_path: Path, payload: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from gpujob.cache import BucketStepCache

    caplog.set_level(logging.WARNING)
    evil = tmp_path / "evil.wav"
    evil.write_bytes(b"evil")
    BucketStepCache(mallory.context).put(STEP, evil, {})
    mine = BucketStepCache(gpu.context)
    assert mine.get(STEP, tmp_path / "out.wav") is None and not (tmp_path / "out.wav").exists()
    assert "is not signed with a key that this worker trusts" in caplog.text
    mine.put(STEP, payload, {"samples": 1})
    assert BucketStepCache(gpu.context).get(STEP, tmp_path / "out.wav") == {"samples": 1}
    assert (tmp_path / "out.wav").read_bytes() == payload.read_bytes()
    assert BucketStepCache(mallory.context).get(STEP, tmp_path / "out.wav") == {"samples": 1}, "who trusts all may too"


def test_a_signed_step_moved_to_another_place_is_not_used(
    gpu: JobStore, bucket: Bucket, tmp_path: Path, payload: Path
) -> None:
    from gpujob.cache import BucketStepCache, CachedStep, digest_of

    BucketStepCache(gpu.context).put(STEP, payload, {})
    other = {**STEP, "text": "Goodbye"}
    found = bucket.get(keys.cache_entry(digest_of(STEP)))
    assert found is not None
    sha256 = CachedStep.model_validate_json(found.body).sha256
    write(bucket, keys.cache_entry(digest_of(other)), found.body)
    write(bucket, keys.cache_payload(digest_of(other), sha256), payload.read_bytes())
    assert BucketStepCache(gpu.context).get(other, tmp_path / "out.wav") is None
