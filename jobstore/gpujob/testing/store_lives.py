"""The lives of jobs: submitted, claimed, kept, lost, finished, failed, given back, cancelled, expired."""

from __future__ import annotations

import pytest

from gpujob import keys
from gpujob.decisions import FREE_RELEASES, MAX_LOSSES
from gpujob.errors import Conflict, LeaseLost, NotFound
from gpujob.records import JobError, Progress
from gpujob.store import JobStore
from gpujob.testing.store_setting import TTL_S, ManualRuntime, StoreSetting, claim, echo, finish, nothing


class LifeContract(StoreSetting):
    """One job at a time."""

    def test_a_submitted_job_is_queued(self, store: JobStore) -> None:
        job = store.submit(echo("hi"))
        found = store.status(job.id)
        assert (found.state, found.ended) == ("queued", False)
        assert found.manifest == job.manifest
        assert job.manifest.spec["input"]["message"] == "hi"

    def test_one_id_is_one_job(self, store: JobStore) -> None:
        job_id = store.new_id()
        assert store.submit(echo(), job_id=job_id).id == store.submit(echo(), job_id=job_id).id == job_id
        assert len(store.jobs()) == 1

    def test_a_claimed_job_runs_once(self, store: JobStore) -> None:
        job = store.submit(echo())
        held = claim(store, "one")
        assert held.id == job.id
        assert held.manifest == job.manifest
        lease = store.status(job.id).lease
        assert lease is not None
        assert (lease.worker, lease.epoch, lease.attempt, lease.losses) == ("one", 1, 1, 0)
        assert store.status(job.id).state == "running"
        nothing(store, "two")
        assert store.bucket.head(keys.pending("normal", job.id, "echo")) is None

    def test_beats_keep_a_lease_and_carry_progress(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo())
        held = claim(store)
        for number in range(5):
            clock.sleep(TTL_S * 0.7)
            held.report(Progress(done=number, total=5, message=f"step {number}"))
            held.beat()
            assert held.trusted()
            nothing(store)
        lease = store.status(held.id).lease
        assert lease is not None
        assert (lease.progress.message, lease.beat) == ("step 4", 5)

    def test_a_lease_without_beats_is_taken_over(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo())
        lost = claim(store, "dead")
        clock.sleep(TTL_S - 2)
        nothing(store)
        clock.sleep(4)
        held = claim(store, "heir")
        assert held.id == lost.id
        assert (held.record.epoch, held.record.attempt, held.record.losses) == (2, 2, 1)
        assert held.prefix != lost.prefix
        assert [past.ended for past in held.record.history] == ["lost"]

    def test_a_late_worker_learns_that_it_is_late(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo())
        late = claim(store, "late")
        clock.sleep(TTL_S - 4)  # past the fence, before the expiry
        late.beat()
        assert late.lost == "fenced"
        with pytest.raises(LeaseLost):
            finish(late)
        with pytest.raises(LeaseLost):
            late.release()
        assert store.result(late.id) is None

    def test_a_beat_meets_the_heir(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo())
        late = claim(store, "late")
        clock.sleep(TTL_S + 1)
        heir = claim(store, "heir")
        late.trusted_until_s = clock.elapsed() + 100  # as if its own clock had stood still
        late.beat()
        assert late.lost == "taken"
        assert heir.trusted()

    def test_a_finished_job_leaves_only_its_result(self, store: JobStore) -> None:
        store.submit(echo())
        held = claim(store)
        assert finish(held)
        result = store.result(held.id)
        assert result is not None
        assert (result.state, result.epoch, result.nonce) == ("succeeded", 1, held.record.nonce)
        assert result.manifest == held.manifest
        assert store.status(held.id).ended
        assert store.bucket.list(keys.PENDING).entries == store.bucket.list(keys.LEASED).entries == ()
        nothing(store)

    def test_the_second_result_is_thrown_away(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo())
        late = claim(store, "late")
        clock.sleep(TTL_S + 1)
        heir = claim(store, "heir")
        late.trusted_until_s = clock.elapsed() + 100
        assert finish(late), "a worker that does not know that it is late may win"
        assert not finish(heir)
        result = store.result(late.id)
        assert result is not None
        assert result.nonce == late.record.nonce

    def test_a_failed_attempt_waits_and_is_tried_again(self, store: JobStore, clock: ManualRuntime) -> None:
        store.submit(echo(retry={"max_attempts": 3, "backoff": {"initial": 20, "max": 100}}))
        held = claim(store)
        held.fail(JobError(type="engine", message="it broke"))
        assert store.status(held.id).state == "queued"
        nothing(store)
        clock.sleep(21)
        again = claim(store, "other")
        assert (again.record.attempt, again.record.failures, again.record.losses) == (2, 1, 0)
        assert again.record.error is not None
        assert again.record.error.message == "it broke"

    def test_a_released_job_is_due_at_once(self, store: JobStore) -> None:
        store.submit(echo())
        claim(store).release()
        held = claim(store, "other")
        assert (held.record.attempt, held.record.releases, held.record.losses) == (2, 1, 0)

    def test_releases_are_bounded(self, store: JobStore) -> None:
        job = store.submit(echo())
        for _ in range(FREE_RELEASES + MAX_LOSSES + 1):
            claim(store).release()
        nothing(store)
        assert store.status(job.id).state == "failed"

    def test_a_job_that_kills_its_workers_ends(self, store: JobStore, clock: ManualRuntime) -> None:
        job = store.submit(echo())
        for number in range(MAX_LOSSES + 1):
            assert claim(store).record.losses == number
            clock.sleep(TTL_S + 1)
        nothing(store)
        result = store.result(job.id)
        assert result is not None and result.error is not None
        assert (result.state, result.error.type, result.attempt) == ("failed", "worker_lost", MAX_LOSSES + 1)

    def test_cancel_ends_a_queued_job(self, store: JobStore) -> None:
        job = store.submit(echo())
        found, ours = store.cancel(job.id)
        assert (found.state, ours) == ("cancelled", True)
        nothing(store)
        assert store.cancel(job.id)[1] is False
        assert store.status(job.id).state == "cancelled"

    def test_cancel_ends_a_running_job_and_its_worker_notices(self, store: JobStore) -> None:
        job = store.submit(echo())
        held = claim(store)
        assert store.cancel(job.id)[1]
        held.beat()
        assert held.lost == "gone"
        with pytest.raises(LeaseLost):
            finish(held)
        assert store.status(job.id).state == "cancelled"

    def test_cancel_of_an_ended_job_changes_nothing(self, store: JobStore) -> None:
        store.submit(echo())
        held = claim(store)
        finish(held)
        found, ours = store.cancel(held.id)
        assert (found.state, ours) == ("succeeded", False)

    def test_a_job_that_nobody_serves_in_time_expires(self, store: JobStore, clock: ManualRuntime) -> None:
        job = store.submit(echo(ttl=60))
        clock.sleep(61)
        nothing(store)
        assert store.status(job.id).state == "expired"

    def test_a_waiting_job_expires_too(self, store: JobStore, clock: ManualRuntime) -> None:
        job = store.submit(echo(ttl=60, retry={"max_attempts": 3, "backoff": {"initial": 500, "max": 500}}))
        claim(store).fail(JobError(type="engine", message="it broke"))
        clock.sleep(61)
        nothing(store)
        assert store.status(job.id).state == "expired"

    def test_who_is_unknown_is_not_found(self, store: JobStore) -> None:
        for call in (store.status, store.cancel, store.wait, store.retry):
            with pytest.raises(NotFound):
                call(store.new_id())
        assert store.result(store.new_id()) is None

    def test_wait_returns_the_result(self, store: JobStore) -> None:
        job = store.submit(echo())
        with pytest.raises(TimeoutError):
            store.wait(job.id, timeout_s=20)
        finish(claim(store))
        seen: list[str] = []
        assert store.wait(job.id, on_look=lambda found: seen.append(found.state)).state == "succeeded"
        assert seen == ["succeeded"]

    def test_retry_is_a_new_job(self, store: JobStore) -> None:
        job = store.submit(echo("again", idempotency_key="once"))
        with pytest.raises(Conflict):
            store.retry(job.id)
        store.cancel(job.id)
        again = store.retry(job.id)
        assert again.id != job.id
        assert again.manifest.retry_of == job.id
        assert again.manifest.spec["input"] == job.manifest.spec["input"]
        assert again.manifest.idempotency_key is None
        assert store.status(again.id).state == "queued"
