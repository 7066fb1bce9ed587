"""What the simulation found in the first days of this code, each as the shortest schedule that shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpujob import keys
from gpujob.buckets.base import PAGE, Bucket, Listing
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.errors import Busy, LeaseLost, Unavailable
from gpujob.protocol.claim import Claimer, Skipped
from gpujob.protocol.gc import Collector
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.removal import remove_job
from gpujob.testing.store_setting import claim, echo, finish, poller
from tests.unit.protocol.scripted import Scene, scene

NOBODY_KNOWS = Unavailable("nobody knows")


class BlindToPending(WrappedBucket):
    """A store whose listings of pending/ are arbitrarily old: as old as the empty bucket."""

    def __init__(self, inner: Bucket) -> None:
        super().__init__(inner)

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        found = super().list(prefix, after=after, limit=limit)
        return Listing((), False, found.date) if prefix.startswith(keys.PENDING) else found


@pytest.mark.parametrize("remove", ["rm", "gc", "sweep"])
def test_a_stale_listing_let_done_go_while_pending_stood(remove: str) -> None:
    queue = scene(retention_s=1000.0)
    job = queue.store.submit(echo())
    finish(claim(queue.store))
    queue.clock.sleep(1001)
    queue.machine.create(keys.pending("normal", job.id, "echo"), job.manifest.body())  # a late duplicate of the submit
    ctx = queue.store.context
    sweeper = queue.store.sweeper("s")
    ctx.bucket = sweeper.ctx.bucket = BlindToPending(queue.machine)
    removes: dict[str, Callable[[], object]] = {
        "rm": lambda: remove_job(ctx, job.id),
        "gc": lambda: Collector(ctx, older_than_s=1000.0).collect(),
        "sweep": lambda: sweeper.sweep(100),
    }
    removes[remove]()
    assert queue.store.status(job.id).ended
    assert poller(queue.store).next() is None, "the job ran again"


def test_a_stale_listing_let_an_idempotency_key_go_while_its_job_was_pending() -> None:
    queue = scene()
    job = queue.store.submit(echo(idempotency_key="chapter-1", ttl=10 * 86400))
    queue.clock.sleep(2 * 86400)
    ctx = queue.store.context
    ctx.bucket = BlindToPending(queue.machine)
    Collector(ctx, older_than_s=1000.0).collect()
    assert queue.store.submit(echo(idempotency_key="chapter-1", ttl=10 * 86400)).id == job.id


def test_an_expired_job_whose_end_could_not_be_written_ended_the_worker() -> None:
    queue = scene()
    queue.store.submit(echo(ttl=60))
    queue.clock.sleep(61)
    queue.order("create", keys.DONE, NOBODY_KNOWS, times=50)
    queue.order("get", keys.DONE, NOBODY_KNOWS, times=50)
    finder = poller(queue.store)
    assert finder.next() is None  # LeaseLost came out of here, which no worker catches
    queue.script.orders.clear()
    queue.clock.sleep(61)
    assert finder.next() is None
    assert [row.state for row in queue.store.jobs()] == ["expired"]


@pytest.mark.parametrize("error", [Unavailable("?"), Busy("?")])
def test_a_claim_that_could_not_be_read_back_is_met_again(error: Unavailable | Busy) -> None:
    queue = scene()
    job = queue.store.submit(echo())
    queue.order("create", keys.LEASED, NOBODY_KNOWS, applied=True)
    queue.order("get", keys.LEASED, error)
    claimer = _claimer(queue)
    key = keys.pending("normal", job.id, "echo")
    assert isinstance(claimer.claim(key), Skipped)  # Busy came out of here, and the claim was forgotten
    held = claimer.claim(key)
    assert isinstance(held, HeldLease)
    assert (held.record.epoch, held.record.losses) == (1, 0)


def test_a_corrupt_object_where_the_take_over_should_be_ended_the_worker() -> None:
    queue = scene()
    job = queue.store.submit(echo())
    claim(queue.store, "dead")
    queue.clock.sleep(31)

    def spoil() -> None:
        queue.machine.delete(keys.leased(job.id))
        queue.machine.create(keys.leased(job.id), b"rubbish")

    queue.order("replace", keys.LEASED, NOBODY_KNOWS, before=spoil)
    assert isinstance(_claimer(queue).take(job.id), Skipped)  # CorruptRecord came out of here


def test_a_lease_of_another_protocol_ended_the_worker_that_gave_its_job_back() -> None:
    queue = scene()
    queue.store.submit(echo())
    held = claim(queue.store)
    key = keys.leased(held.id)
    newer = held.record.model_copy(update={"protocol": 2, "nonce": "f" * 32})
    found = queue.machine.get(key)
    assert found is not None
    queue.machine.replace(key, newer.body(), found.version)
    with pytest.raises(LeaseLost):
        held.release()
    assert held.lost == "taken"


def test_a_sweeper_that_owns_a_job_by_a_whim_of_the_clock_lets_it_run_out() -> None:
    queue = scene()
    job = queue.store.submit(echo(ttl=60))
    sweeper = queue.store.sweeper("sweeper")
    queue.clock.sleep(61)
    sweeper.ctx.store_now = lambda: 0.0  # type: ignore[method-assign]
    owned: list[HeldLease] = []
    honest = sweeper.claimer.claim

    def claiming(key: str) -> HeldLease | Skipped:
        got = honest(key)
        if isinstance(got, HeldLease):
            owned.append(got)
        return got

    sweeper.claimer.claim = claiming  # type: ignore[method-assign]
    sweeper.sweep(100)
    assert [held.id for held in owned] == [job.id]
    beat_before = queue.store.status(job.id).lease
    owned[0].beat()
    assert queue.store.status(job.id).lease == beat_before, "it beats no more"


def _claimer(queue: Scene) -> Claimer:
    return Claimer(queue.store.context, worker="w", beats=queue.machine)


def test_a_job_that_came_back_by_its_key_was_cleaned_as_a_leftover_of_the_removed_one() -> None:
    queue = scene(retention_s=1000.0)
    spec = echo(idempotency_key="chapter-1")
    job = queue.store.submit(spec)
    finish(claim(queue.store))
    queue.clock.sleep(1001)

    def removed_and_submitted_again() -> None:
        queue.machine.delete(keys.done(job.id))  # by another pass, whose delete of the key is still on its way
        assert queue.store.submit(spec).id == job.id

    queue.order("head", keys.PENDING, before=removed_and_submitted_again)
    Collector(queue.store.context, older_than_s=1000.0).collect()
    assert queue.store.status(job.id).state == "queued"


@pytest.mark.parametrize("verb", ["create", "get"])
def test_a_submitter_that_slept_for_an_hour_sent_a_job_again_that_had_come_and_gone(verb: str) -> None:
    queue = scene()
    queue.order("create", keys.PENDING, NOBODY_KNOWS)
    if verb == "get":
        queue.order("get", keys.DONE, NOBODY_KNOWS)
    nap = queue.clock.sleep

    def sleeps_for_an_hour(seconds: float) -> None:
        nap(seconds + 3600.0)

    queue.clock.sleep = sleeps_for_an_hour  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="did not say whether"):
        queue.store.submit(echo())
    assert not queue.machine.list(keys.PENDING).entries
