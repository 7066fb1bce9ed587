"""Objects that stand in the bucket and that the store hands out to nobody, or at which it fails each time."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gpujob import MemoryBucket, keys, queue
from gpujob.buckets.base import Found, Head
from gpujob.errors import Configuration, CorruptRecord, Unavailable
from gpujob.testing.store_setting import nothing

from .objects import Maker
from .test_bucket import Setting


class Withholding(MemoryBucket):
    """Writes, lists and deletes all objects, but does not hand out those in `withheld`, and fails at those in `failing`."""

    def __init__(self) -> None:
        super().__init__()
        self.withheld: set[str] = set()
        self.failing: set[str] = set()

    def _look(self, key: str) -> None:
        if key in self.withheld:
            raise CorruptRecord(f"{key}: the store does not hand it out: 403 InvalidObjectState")
        if key in self.failing:
            raise Unavailable(f"The store's answer to GET {key} lacks its end.")

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        self._look(key)
        return super().get(key, max_bytes=max_bytes)

    def head(self, key: str) -> Head | None:
        self._look(key)
        return super().head(key)


@pytest.fixture
def memory() -> Withholding:
    return Withholding()


@pytest.fixture
def setting(memory: Withholding) -> Setting:
    return Setting(memory)


def records(maker: Maker) -> list[str]:
    """A key of each kind under which a record of a job, a worker or an idempotency key would stand."""
    ids = [maker.id() for _ in range(3)]
    job_keys = [keys.pending("high", ids[0], "echo"), keys.leased(ids[1]), keys.done(ids[2])]
    return [*job_keys, keys.worker("w"), keys.unique("held")]


def test_one_object_that_is_not_handed_out_ends_no_worker(setting: Setting, memory: Withholding, caplog: Any) -> None:
    """One object in another storage class, put by anybody who may write, ended every worker that met it."""
    memory.withheld.update(records(Maker()))
    setting.put([(key, b"x") for key in memory.withheld])
    job_id = setting.submit(priority="low")
    with caplog.at_level(logging.WARNING, "gpujob"):
        setting.worker(idle_exit_s=100.0).run()
    assert setting.store.wait(job_id).state == "succeeded"
    assert [one.id for one in setting.store.jobs()] == [job_id]
    assert setting.store.workers() == []
    lines = [record.getMessage() for record in caplog.records if "hand it out" in record.getMessage()]
    assert len(lines) == len(set(lines)) > 0
    setting.clock.sleep(86400.0 * 2)
    setting.store.gc(older_than_s=86400.0 * 10)


def test_fsck_names_what_is_not_handed_out_and_repair_ends_the_jobs_unread(
    setting: Setting, memory: Withholding
) -> None:
    memory.withheld.update(records(Maker()))
    setting.put([(key, b"x") for key in memory.withheld])
    assert {finding.key for finding in setting.store.fsck()} == memory.withheld
    repaired = [finding for finding in setting.store.fsck(repair=True) if finding.repaired]
    assert len(repaired) == 2
    for finding in repaired:
        assert finding.job_id is not None
        result = setting.store.result(finding.job_id)
        assert result is not None and result.state == "failed"
        assert memory.list(finding.key).entries == ()


def test_a_result_that_is_not_handed_out_is_an_end_of_its_job(setting: Setting, memory: Withholding) -> None:
    """Whoever claimed the job would otherwise own it, drop it and claim it again for ever."""
    job_id = setting.submit()
    memory.withheld.add(keys.done(job_id))
    setting.put([(keys.done(job_id), b"x")])
    nothing(setting.store)
    assert [entry.key for entry in memory.list("").entries] == [keys.done(job_id)]


def test_a_queue_json_that_is_not_handed_out_is_said(memory: Withholding) -> None:
    memory.withheld.add(keys.QUEUE)
    with pytest.raises(Configuration, match=r"queue\.json that cannot be read"):
        queue.load(memory)


def test_objects_at_which_the_store_fails_hide_no_job_behind_them(setting: Setting, memory: Withholding) -> None:
    """The first few of the page were tried again on each page, so that those behind them never had their turn."""
    maker = Maker()
    bad = [keys.pending("high", maker.id(), "echo") for _ in range(40)]
    memory.failing.update(bad)
    setting.put([(key, b"x") for key in bad])
    job_id = setting.submit(priority="low")
    setting.worker(idle_exit_s=3600.0).run()
    assert setting.store.wait(job_id).state == "succeeded"
    reads = setting.counting.counts["get", "pending"]
    setting.worker(idle_exit_s=3600.0).run()
    assert setting.counting.counts["get", "pending"] - reads <= 40 * 20, "each is put off for longer each time"


def test_fsck_goes_on_behind_an_object_at_which_the_store_fails(setting: Setting, memory: Withholding) -> None:
    maker = Maker()
    first, second = sorted(keys.pending("high", maker.id(), "echo") for _ in range(2))
    memory.failing.add(first)
    setting.put([(first, b"x"), (second, b"x")])
    found = setting.store.fsck(repair=True)
    assert [(finding.key, finding.repaired) for finding in found] == [(first, False), (second, True)]
