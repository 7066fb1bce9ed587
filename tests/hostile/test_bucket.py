"""A bucket full of what somebody else wrote, and one good job in it: the job is done, and nothing else is touched."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from gpujob import JobStore, MemoryBucket, QueueConfig, keys
from gpujob.buckets.counting import CountingBucket
from gpujob.chance import Random
from gpujob.protocol import poll
from gpujob.protocol.skipping import LINES
from gpujob.testing.store_setting import ManualRuntime, TimeMachine, claim, poller
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker

from .objects import Maker, corrupt_jobs, everything

TTL_S = 30.0


class Setting:
    """A store on a bucket in memory, with a clock that a test moves and a count of the requests."""

    def __init__(self, memory: MemoryBucket | None = None) -> None:
        self.memory = memory or MemoryBucket()
        self.counting = CountingBucket(self.memory)
        machine = TimeMachine(self.counting)
        self.clock = ManualRuntime(machine)
        config = QueueConfig(ttl_s=TTL_S, beat_s=10.0)
        self.store = JobStore(machine, config=config, runtime=self.clock, rng=Random(3), patience_s=5.0)

    def put(self, objects: list[tuple[str, bytes]]) -> None:
        for key, body in objects:
            self.memory.create(key, body)

    def contents(self) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        after = ""
        while True:
            listing = self.memory.list("", after=after)
            for entry in listing.entries:
                object_ = self.memory.get(entry.key)
                assert object_ is not None
                found[entry.key] = object_.body
            if not listing.truncated:
                return found
            after = listing.entries[-1].key

    def submit(self, **more: Any) -> str:
        return self.store.submit({"kind": "echo", "input": {"message": "hello"}, **more}).id

    def worker(self, **limits: Any) -> Worker:
        return Worker(
            self.store,
            [EchoExecutor()],
            worker_id="w-good",
            limits=Limits(**limits),
            presence_every_s=None,
            sweep_every_s=1.0,
        )

    @property
    def requests(self) -> int:
        return sum(self.counting.counts.values())


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_the_good_job_is_done_and_nothing_else_has_changed(setting: Setting, caplog: Any) -> None:
    hostile = everything()
    setting.put(hostile)
    job_id = setting.submit(priority="low")
    with caplog.at_level(logging.WARNING, "gpujob"):
        setting.worker(max_jobs=1).run()
    assert setting.store.wait(job_id).state == "succeeded"
    left = setting.contents()
    for key, body in hostile:
        assert left.pop(key) == body, key
    assert [key for key in left if not key.startswith(keys.ARTIFACTS)] == [keys.done(job_id)]
    lines = Counter(record.getMessage() for record in caplog.records)
    assert lines and max(lines.values()) == 1, lines.most_common(3)


def test_an_hour_of_idling_beside_them_costs_what_idling_costs(setting: Setting, caplog: Any) -> None:
    """No busy loop: each bad object is read once by the worker and once by its sweeper, and then only listed."""
    hostile = everything()
    setting.put(hostile)
    with caplog.at_level(logging.WARNING, "gpujob"):
        setting.worker(idle_exit_s=3600.0).run()
    assert setting.contents() == dict(hostile)
    read = setting.counting.counts["get"] + setting.counting.counts["head"]
    assert read <= 2 * len(hostile)
    empty = Setting()
    empty.worker(idle_exit_s=3600.0).run()
    listings = empty.counting.counts["list"]
    assert setting.counting.counts["list"] <= 1.2 * listings + 20
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(set(messages)) <= LINES + 1


def test_listing_and_waiting_go_on_beside_them(setting: Setting, caplog: Any) -> None:
    setting.put(everything())
    job_id = setting.submit()
    with caplog.at_level(logging.WARNING, "gpujob"):
        for _ in range(3):
            assert [one.id for one in setting.store.jobs()] == [job_id]
            assert setting.store.workers() == []
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == len(set(messages))


def test_foreign_keys_crowd_no_job_out_of_a_listing(setting: Setting) -> None:
    """Strange names sort behind all ids, so `ls`, which reads the newest keys, read nothing else."""
    job_id = setting.submit()
    for number in range(300):
        setting.put([(f"{prefix}zz-{number}.json", b"{}") for prefix in ("pending/9/", "leased/", "done/")])
    assert [one.id for one in setting.store.jobs(limit=200)] == [job_id]


def test_foreign_keys_beside_a_jobs_own_do_not_hide_it(setting: Setting) -> None:
    """A look for a pending key took the first two rows of its listing, whosever they were."""
    job_id = setting.submit()
    setting.put([(f"pending/5/{job_id}{more}", b"{}") for more in ("", ".!", ".A", ".Echo.json", ".a")])
    assert setting.store.status(job_id).state == "queued"
    assert setting.store.resolve(job_id[:20]) == job_id
    assert setting.store.cancel(job_id)[1]


def _seconds_until_taken_over(setting: Setting) -> float:
    """How long after its expiry an abandoned lease stands until an idle worker takes it."""
    setting.submit()
    claim(setting.store, "gone")
    finder = poller(setting.store)
    assert finder.next() is None
    setting.clock.sleep(TTL_S)
    began = setting.clock.elapsed()
    while finder.next() is None:
        assert setting.clock.elapsed() - began < 3600, "never"
        setting.clock.sleep(max(0.1, finder.wait_s()))
    return setting.clock.elapsed() - began


def test_more_foreign_keys_than_a_look_reads_do_not_hide_a_lease_that_has_expired(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look read the first twenty pages of leased/, each time the same."""
    monkeypatch.setattr(poll, "LEASED_PAGES", 2)
    setting.put([(f"leased/!{number:05}.json", b"{}") for number in range(5000)])
    assert _seconds_until_taken_over(setting) < 2 * TTL_S


def test_dead_records_under_leased_do_not_put_off_the_look_for_leases_that_have_expired(setting: Setting) -> None:
    """They were counted as workers that look too, so each looked the more seldom: with these once in an hour."""
    setting.put([(keys.leased(setting.store.new_id()), b"{}") for _ in range(1000)])
    setting.clock.sleep(2 * TTL_S)
    assert _seconds_until_taken_over(setting) < 2 * TTL_S


def test_gc_removes_none_of_them(setting: Setting) -> None:
    hostile = [(key, body) for key, body in everything() if not key.startswith((keys.WORKERS, keys.CACHE))]
    setting.put(hostile)
    setting.clock.sleep(86400.0 * 2)
    setting.store.gc()
    assert setting.contents() == dict(hostile)


def test_fsck_names_each_and_repair_ends_the_jobs(setting: Setting) -> None:
    jobs = list(corrupt_jobs(Maker()))
    setting.put(everything())
    named = {finding.key for finding in setting.store.fsck()}
    assert {key for key, _ in jobs} <= named
    setting.store.fsck(repair=True)
    ended = {key for key, _ in jobs if not key.startswith(keys.DONE)}
    left = setting.contents()
    assert not ended & left.keys()
    for key in ended:
        where = keys.parse_pending(key)
        job_id = where.id if where is not None else keys.parse_job(key, keys.LEASED)
        assert job_id is not None
        result = setting.store.result(job_id)
        assert result is not None and result.state == "failed"
    again = {finding.key for finding in setting.store.fsck() if finding.job_id}
    assert not again & ended


@pytest.mark.parametrize("number", range(len(list(corrupt_jobs(Maker())))))
def test_each_alone_neither_crashes_a_worker_nor_holds_it_up(setting: Setting, number: int) -> None:
    key, body = list(corrupt_jobs(Maker()))[number]
    setting.put([(key, body)])
    job_id = setting.submit(priority="low")
    setting.worker(max_jobs=1).run()
    assert setting.store.wait(job_id).state == "succeeded"
    assert setting.contents()[key] == body
