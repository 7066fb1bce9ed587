"""A job's log goes on as long as the job does, and says where lines are missing. Time is moved by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob import JobStore, keys
from gpujob.buckets.memory import MemoryBucket
from gpujob.chance import Random
from gpujob.errors import Denied
from gpujob.protocol.lease import HeldLease
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob_worker.logs import MAX_CHUNK_BYTES, MAX_CHUNKS, LogUploader

DAY_S = 86400.0


class Unsteady(MemoryBucket):
    """A bucket in memory that takes no log while it is told so."""

    takes_logs = True

    def create(self, key: str, body: bytes, **more: Any) -> Any:
        if "/log/" in key and not self.takes_logs:
            raise Denied("no rights")
        return super().create(key, body, **more)


class Logged:
    """An attempt that writes its log."""

    def __init__(self) -> None:
        self.bucket = Unsteady(now=lambda: 1_750_000_000.0)
        machine = TimeMachine(self.bucket)
        self.clock = ManualRuntime(machine)
        store = JobStore(machine, runtime=self.clock, rng=Random(1))
        store.submit({"kind": "echo", "input": {"message": "m"}})
        held = store.poller("w", serves_kind=lambda kind: True, serves=lambda manifest: True).next()
        assert isinstance(held, HeldLease)
        self.held = held
        self.logs = LogUploader(held)

    def lines(self) -> list[str]:
        """All that is in the bucket."""
        found = [self.bucket.get(keys.log_chunk(self.held.prefix, number)) for number in range(self.logs.chunks)]
        return b"".join(one.body for one in found if one is not None).decode().splitlines()


@pytest.fixture
def logged() -> Logged:
    return Logged()


def test_a_log_does_not_stop_after_a_thousand_chunks(logged: Logged) -> None:
    """It did, without a word, after less than three hours."""
    beat_s = logged.held.record.beat_s
    written = [f"line {number}" for number in range(int(7 * DAY_S / beat_s))]
    for text in written:
        logged.clock.sleep(beat_s)
        logged.logs.line(text)
    stored = logged.lines()
    assert written[: len(stored)] == stored
    assert len(stored) > len(written) * 0.8, "a follower is behind by a part of the time that has passed"
    logged.logs.flush()
    assert logged.lines() == written
    assert logged.logs.chunks <= MAX_CHUNKS


def test_the_first_hour_has_a_chunk_a_beat(logged: Logged) -> None:
    beat_s = logged.held.record.beat_s
    for number in range(360):
        logged.clock.sleep(beat_s)
        logged.logs.line(f"line {number}")
    assert logged.logs.chunks == 360


def test_the_last_chunk_is_kept_for_the_end(logged: Logged) -> None:
    for number in range(2 * MAX_CHUNKS):
        logged.clock.sleep(30 * DAY_S)
        logged.logs.line(f"line {number}")
    assert logged.logs.chunks == MAX_CHUNKS - 1
    logged.logs.flush()
    assert logged.lines()[-1] == f"line {2 * MAX_CHUNKS - 1}"


def test_of_a_flood_the_last_lines_are_kept_and_those_that_are_missing_are_counted(logged: Logged) -> None:
    for number in range(4):
        logged.logs.line(f"{number}" * (MAX_CHUNK_BYTES // 2 - 1))
    logged.logs.flush()
    notice, *kept = logged.lines()
    assert notice == "[2 lines left out]"
    assert [line[0] for line in kept] == ["2", "3"]


def test_the_lines_that_a_store_refused_are_told_in_the_next_chunk(logged: Logged) -> None:
    logged.bucket.takes_logs = False
    logged.logs.line("first")
    logged.logs.line("second")
    logged.logs.flush()
    logged.bucket.takes_logs = True
    logged.logs.line("third")
    logged.logs.flush()
    assert logged.lines() == ["[2 lines left out]", "third"]
