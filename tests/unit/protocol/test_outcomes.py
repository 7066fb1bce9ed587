"""Three outcomes, never two: what each operation does when nobody knows whether its write landed."""

from __future__ import annotations

import pytest

from gpujob import keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.errors import Busy, LeaseLost, PreconditionFailed, Unavailable
from gpujob.protocol.writes import create, replace
from gpujob.records import JobError
from gpujob.testing.store_setting import claim, echo, finish, nothing, poller
from tests.unit.protocol.scripted import scene

NOBODY_KNOWS = Unavailable("nobody knows")


def test_a_write_is_won_lost_or_unknown() -> None:
    bucket = MemoryBucket()
    first = create(bucket, "a", b"1")
    assert first.outcome == "won"
    assert create(bucket, "a", b"2").outcome == "lost"
    assert replace(bucket, "a", b"2", first.version).outcome == "won"
    assert replace(bucket, "a", b"3", first.version).outcome == "lost"
    assert replace(bucket, "b", b"3", first.version).outcome == "lost"
    queue = scene()
    for error in (Unavailable("?"), Busy("?")):
        queue.order("create", "c", error)
        assert create(queue.script, "c", b"").outcome == "unknown"


@pytest.mark.parametrize("landed", [True, False])
def test_a_submit_of_unknown_outcome_goes_on_until_it_is_known(landed: bool) -> None:
    queue = scene()
    queue.order("create", keys.PENDING, NOBODY_KNOWS, applied=landed)
    job = queue.store.submit(echo())
    assert queue.store.status(job.id).state == "queued"
    assert len(queue.machine.list(keys.PENDING).entries) == 1


def test_a_submit_that_gives_up_names_the_id() -> None:
    queue = scene()
    queue.order("create", keys.PENDING, NOBODY_KNOWS, times=10_000)
    job_id = queue.store.new_id()
    with pytest.raises(Unavailable, match=job_id) as error:
        queue.store.submit(echo(), job_id=job_id)
    assert job_id in str(error.value.hint)
    assert queue.clock.elapsed() < 30


def test_a_submit_met_by_a_fast_worker_is_known_all_the_same() -> None:
    queue = scene()
    queue.order("create", keys.PENDING, NOBODY_KNOWS, applied=True)
    queue.order("get", keys.DONE, before=lambda: finish(claim(queue.store)))
    job = queue.store.submit(echo())
    assert queue.store.status(job.id).state == "succeeded"
    nothing(queue.store)


@pytest.mark.parametrize("landed", [True, False])
def test_a_claim_of_unknown_outcome_is_read_back(landed: bool) -> None:
    queue = scene()
    job = queue.store.submit(echo())
    queue.order("create", keys.LEASED, NOBODY_KNOWS, applied=landed)
    held = poller(queue.store).next()
    assert (held is not None) == landed
    if not landed:
        assert queue.machine.head(keys.pending("normal", job.id, "echo")) is not None, "everything is left alone"
        assert claim(queue.store).record.epoch == 1


@pytest.mark.parametrize("landed", [True, False])
def test_a_beat_of_unknown_outcome_is_good_only_if_it_landed(landed: bool) -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    trusted_until_s = held.trusted_until_s
    queue.clock.sleep(10)
    queue.order("replace", keys.LEASED, NOBODY_KNOWS, applied=landed)
    held.beat()
    assert (held.trusted_until_s > trusted_until_s) == landed
    held.beat()
    assert held.trusted_until_s == pytest.approx(trusted_until_s + 10)


def test_a_beat_that_cannot_be_read_back_tries_on_until_the_fence() -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    queue.order("replace", keys.LEASED, NOBODY_KNOWS, times=100)
    queue.order("get", keys.LEASED, NOBODY_KNOWS, times=100)
    for _ in range(2):
        queue.clock.sleep(10)
        held.beat()
        assert held.trusted()
    queue.clock.sleep(10)
    held.beat()
    assert held.lost == "fenced"


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("how", ["fail", "release"])
def test_giving_up_with_an_unknown_outcome_is_done_once(how: str, landed: bool) -> None:
    queue = scene()
    job = queue.store.submit(echo(retry={"max_attempts": 3, "backoff": {"initial": 0, "max": 0}}))
    held = claim(queue.store)
    queue.order("replace", keys.LEASED, NOBODY_KNOWS, applied=landed)
    if how == "fail":
        held.fail(JobError(type="engine", message="broke"))
    else:
        held.release()
    lease = queue.store.status(job.id).lease
    assert lease is not None
    assert (lease.state, lease.failures + lease.releases) == ("wait", 1)
    assert claim(queue.store).record.attempt == 2


def test_giving_up_after_a_take_over_writes_nothing() -> None:
    queue = scene()
    queue.store.submit(echo())
    late = claim(queue.store, "late")
    queue.clock.sleep(31)
    heir = claim(queue.store, "heir")
    late.trusted_until_s = queue.clock.elapsed() + 100
    with pytest.raises(LeaseLost):
        late.release()
    assert finish(heir)


@pytest.mark.parametrize("landed", [True, False])
def test_a_finish_of_unknown_outcome_is_repeated_until_it_is_known(landed: bool) -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    queue.order("create", keys.DONE, NOBODY_KNOWS, applied=landed)
    assert finish(held)
    assert queue.store.status(held.id).state == "succeeded"
    assert len(queue.machine.list("").entries) == 1


def test_a_finish_that_stays_unknown_cleans_nothing_up() -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    queue.order("create", keys.DONE, NOBODY_KNOWS, times=1000)
    with pytest.raises(LeaseLost):
        finish(held)
    assert queue.machine.head(keys.leased(held.id)) is not None
    assert queue.store.status(held.id).state == "running"


def test_a_first_send_that_is_refused_was_lost() -> None:
    queue = scene()
    queue.order("create", "x", PreconditionFailed("there"))
    assert create(queue.script, "x", b"").outcome == "lost"
