"""Results and cached steps that a neighbour wrote, and what a queue of signed jobs tells its users."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.counting import CountingBucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.cache import BucketStepCache, CachedStep, digest_of
from gpujob.chance import Random
from gpujob.errors import Configuration, Untrusted
from gpujob.protocol.results import ended
from gpujob.protocol.waiting import wait
from gpujob.records import Lease, Manifest, QueueConfig, Result
from gpujob.signing.identity import NOBODY, Identity
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob.why import ask
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.trusting import describe
from gpujob_worker.worker import Limits, Worker
from tests.unit.signing.parties import (
    ECHO,
    Parties,
    queue,
    work,
    write,
)


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
    BucketStepCache(gpu.context).put(STEP, payload, {"samples": 1, "volume": 2.5, "name": "grüße"})
    found = BucketStepCache(gpu.context).get(STEP, tmp_path / "out.wav")
    assert found == {"samples": 1, "volume": 2.5, "name": "grüße"}


def test_a_neighbours_step_is_not_used_and_gives_way(
    gpu: JobStore, mallory: JobStore, tmp_path: Path, payload: Path, caplog: pytest.LogCaptureFixture
) -> None:
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


def test_a_worker_that_knows_submitters_alone_computes_each_step_anew_and_says_so(
    gpu: JobStore, bucket: Bucket, parties: Parties, tmp_path: Path, payload: Path
) -> None:
    """What went wrong: it used whatever lay in the cache. What others signed stays there for those who know them."""
    BucketStepCache(gpu.context).put(STEP, payload, {"samples": 1})
    counting = CountingBucket(bucket)
    keyless = queue(counting, Identity(submitters=(parties.alice.public,)))
    mine = BucketStepCache(keyless.context)
    assert mine.get(STEP, tmp_path / "out.wav") is None and not counting.billed()
    mine.put(STEP, payload, {"samples": 2})
    assert BucketStepCache(gpu.context).get(STEP, tmp_path / "out.wav") == {"samples": 1}
    (said,) = [line for line in describe(keyless) if "cached" in line]
    assert "GPUJOB_TRUST_WORKERS" in said and not [line for line in describe(gpu) if "cached" in line]


def test_a_signed_step_moved_to_another_place_is_not_used(
    gpu: JobStore, bucket: Bucket, tmp_path: Path, payload: Path
) -> None:
    BucketStepCache(gpu.context).put(STEP, payload, {})
    other = {**STEP, "text": "Goodbye"}
    found = bucket.get(keys.cache_entry(digest_of(STEP)))
    assert found is not None
    sha256 = CachedStep.model_validate_json(found.body).sha256
    write(bucket, keys.cache_entry(digest_of(other)), found.body)
    write(bucket, keys.cache_payload(digest_of(other), sha256), payload.read_bytes())
    assert BucketStepCache(gpu.context).get(other, tmp_path / "out.wav") is None
