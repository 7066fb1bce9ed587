"""Records that say that they are of a later protocol, in a queue that is not: anybody may write a 2 where a 1 belongs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob import keys

from .objects import Maker
from .test_bucket import Setting

DAY_S = 86400.0


@pytest.fixture
def setting() -> Setting:
    return Setting()


def newer_jobs(maker: Maker) -> list[tuple[str, bytes]]:
    """One that waits, one that is leased, and a hint, of protocol 2."""
    ids = [maker.id() for _ in range(3)]
    return [
        (keys.pending("normal", ids[0], "echo"), json.dumps(maker.manifest(ids[0], protocol=2)).encode()),
        (keys.leased(ids[1]), json.dumps(maker.lease(ids[1], protocol=2)).encode()),
        (keys.pending("normal", ids[2], "echo"), json.dumps(maker.hint(ids[2], protocol=2)).encode()),
    ]


def test_a_job_of_a_later_protocol_than_its_queues_can_be_ended_when_it_is_a_day_old(setting: Setting) -> None:
    """It could never be ended: only what is corrupt could."""
    jobs = newer_jobs(Maker())
    setting.put(jobs)
    setting.clock.sleep(DAY_S / 2)
    young = setting.store.fsck(repair=True)
    assert [(one.key, one.repaired) for one in young] == sorted((key, False) for key, _ in jobs)
    assert all("speaks protocol 2" in one.problem and "a day old" in one.problem for one in young)
    assert setting.contents() == dict(jobs)
    setting.clock.sleep(DAY_S)
    assert all(one.mendable for one in setting.store.fsck())
    ended = setting.store.fsck(repair=True)
    assert all(one.repaired for one in ended) and len(ended) == 3
    for one in ended:
        result = setting.store.result(one.job_id or "")
        assert result is not None and result.state == "failed"
    assert {key for key, _ in jobs}.isdisjoint(setting.contents())
    assert setting.store.fsck() == []


def test_a_job_of_a_later_protocol_stops_the_collection_of_inputs_until_it_is_ended(
    setting: Setting, tmp_path: Path
) -> None:
    """It stopped it for good."""
    setting.put(newer_jobs(Maker()))
    (tmp_path / "file").write_bytes(b"an input of no job")
    setting.memory.upload(keys.input_file("0" * 64), tmp_path / "file")
    setting.clock.sleep(60 * DAY_S)
    stopped = setting.store.gc()
    assert "inputs" not in stopped.objects and len(stopped.unreadable) == 2
    setting.store.fsck(repair=True)
    assert setting.store.gc().objects["inputs"] == 1


@pytest.mark.parametrize("queue", [b'{"protocol": 2}', b"no record"])
def test_while_a_queue_is_upgraded_nothing_of_the_later_protocol_is_ended(setting: Setting, queue: bytes) -> None:
    jobs = newer_jobs(Maker())
    setting.put([*jobs, (keys.QUEUE, queue), (keys.unique("name"), b'{"protocol": 2}')])
    before = setting.contents()
    setting.clock.sleep(2 * DAY_S)
    found = setting.store.fsck(repair=True)
    assert {key for key, _ in jobs} < {one.key for one in found}
    assert not any(one.mendable or one.repaired for one in found)
    assert setting.contents() == before


def test_an_idempotency_key_of_a_later_protocol_than_its_queues_is_freed_when_it_is_a_day_old(setting: Setting) -> None:
    setting.put([(keys.unique("name"), b'{"protocol": 2}')])
    assert not setting.store.fsck(repair=True)[0].repaired
    setting.clock.sleep(DAY_S + 1)
    assert setting.store.fsck(repair=True)[0].repaired
    setting.submit(idempotency_key="name")
