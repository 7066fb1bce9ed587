"""Waiting for jobs: what is asked of the store, what is said, and when it gives up."""

from __future__ import annotations

import pytest

from gpujob import Unavailable
from gpujob.buckets.base import Found
from gpujob.errors import CorruptRecord, NotFound
from gpujob.records import Result
from gpujob_cli.errors import NoWorker
from gpujob_cli.watching import MANY, Ended, Watch

from .queues import MemorySession


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


def watch(session: MemorySession, *ids: str, **more: float) -> Watch:
    return Watch(session, dict.fromkeys(ids), **more)


def states(ended: list[Ended]) -> dict[str, str]:
    return {job_id: end.state if isinstance(end, Result) else type(end).__name__ for job_id, end in ended}


def on_sleep(session: MemorySession, number: int, happens: object) -> None:
    """Lets something happen while the watcher sleeps for the `number`th time."""
    slept = []

    def hear(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == number:
            happens()  # type: ignore[operator]

    session.clock.on_sleep = hear


def test_a_job_is_told_when_it_ends(session: MemorySession) -> None:
    job_id = session.echo()
    on_sleep(session, 3, session.work)
    assert states(list(watch(session, job_id).ends())) == {job_id: "succeeded"}


def test_why_it_waits_is_said(session: MemorySession) -> None:
    job_id = session.echo()
    on_sleep(session, 1, session.work)
    list(watch(session, job_id).ends())
    assert session.said() == "queued: no live worker. Start one with `gpujob worker run`.\n"


def test_a_timeout_leaves_the_job_alone(session: MemorySession) -> None:
    job_id = session.echo()
    started = session.clock.at
    with pytest.raises(TimeoutError):
        list(watch(session, job_id).ends(timeout_s=90))
    assert session.clock.at - started == pytest.approx(90)
    assert session.store.status(job_id).state == "queued"


def test_no_worker_for_so_long(session: MemorySession) -> None:
    job_id = session.echo()
    started = session.clock.at
    with pytest.raises(NoWorker, match="no live worker"):
        list(watch(session, job_id, worker_timeout_s=60).ends())
    assert 60 <= session.clock.at - started < 70


def test_a_worker_that_serves_other_kinds_is_no_worker(session: MemorySession) -> None:
    session.live("tts.narrate", every_s=1000)
    with pytest.raises(NoWorker, match="no live worker serves echo"):
        list(watch(session, session.echo(), worker_timeout_s=60).ends())


def test_a_live_worker_stops_the_clock(session: MemorySession) -> None:
    job_id = session.echo()
    session.live("echo", every_s=1000)
    with pytest.raises(TimeoutError):
        list(watch(session, job_id, worker_timeout_s=60).ends(timeout_s=300))


def test_an_unknown_job_is_told_at_once_and_the_others_are_waited_for(session: MemorySession) -> None:
    job_id, other = session.echo(), session.store.new_id()
    on_sleep(session, 1, session.work)
    assert states(list(watch(session, other, job_id).ends())) == {other: "NotFound", job_id: "succeeded"}


def test_a_job_that_was_removed_meanwhile_is_said_to_be(session: MemorySession) -> None:
    job_id = session.echo()
    pending = session.bucket.list("pending/").entries[0].key
    on_sleep(session, 1, lambda: session.bucket.delete(pending))
    [(_, end)] = watch(session, job_id).ends()
    assert isinstance(end, NotFound) and "was removed" in end.message


def test_a_corrupt_result_is_told_and_hides_no_other(session: MemorySession) -> None:
    bad, good = session.echo(), session.echo()
    session.bucket.create(f"done/{bad}.json", b'{"not": "a result"}')
    on_sleep(session, 1, session.work)
    ends = dict(watch(session, bad, good).ends())
    assert isinstance(ends[bad], CorruptRecord)
    assert isinstance(ends[good], Result)


def test_many_jobs_cost_one_listing_a_look(session: MemorySession) -> None:
    ids = [session.echo(number) for number in range(MANY + 5)]
    watching = watch(session, *ids)
    before = session.bucket.snapshot()
    looks = []
    bills = []

    def hear(seconds: float) -> None:
        looks.append(session.bucket.since(before))
        bills.append(session.bucket.billed(before))
        if len(looks) == 3:
            session.work(len(ids))

    session.clock.on_sleep = hear
    assert set(states(list(watching.ends())).values()) == {"succeeded"}
    assert bills[0].total() < len(ids)  # finding them all is a few listings, too
    quiet = looks[2] - looks[1]
    assert quiet["list", "done"] == 1
    assert quiet["get", "done"] + quiet["get", "leased"] <= 4  # one job is looked at, for its reason


class Stuttering:
    """The memory bucket's `get`, failing the first few times."""

    def __init__(self, session: MemorySession, times: float) -> None:
        self.inner, self.left = session.bucket.get, times
        session.bucket.get = self  # type: ignore[method-assign,assignment]

    def __call__(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        if key.startswith("done/") and self.left > 0:
            self.left -= 1
            raise Unavailable("the store timed out")
        return self.inner(key, max_bytes=max_bytes)


def test_a_store_that_fails_for_a_while_is_asked_again(session: MemorySession) -> None:
    job_id = session.echo()
    session.work()
    Stuttering(session, 4)
    assert states(list(watch(session, job_id).ends())) == {job_id: "succeeded"}
    assert session.said().startswith("the store does not answer (the store timed out); trying again\n")


def test_a_store_that_stays_away_is_given_up_on(session: MemorySession) -> None:
    job_id = session.echo()
    Stuttering(session, float("inf"))
    started = session.clock.at
    with pytest.raises(Unavailable):
        list(watch(session, job_id).ends())
    assert session.clock.at - started >= session.store.patience_s
