"""Races between processes, for buckets that several processes share without a server in between.

Subclass beside `BucketContract` and provide the fixture `opener`: something that can be pickled and returns, in another
process, a bucket on the same place as the fixture `bucket`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import Queue
from threading import Barrier
from typing import Any

import pytest

from gpujob.buckets.base import Bucket
from gpujob.testing.bucket_races import only_winner
from gpujob.testing.bucket_setting import BackDoor, ContractSetting
from gpujob.testing.races import PATIENCE_S, decided

WHOLE_RACE_S = 500.0  # all rounds, on a loaded machine

Opener = Callable[[], Bucket]
Act = Callable[[Bucket, int, int], str | None]


class ProcessRaceContract(ContractSetting):
    """Many processes, one winner."""

    processes: int = 4

    @pytest.fixture
    def opener(self) -> Opener:
        raise NotImplementedError("a subclass of ProcessRaceContract provides the fixture `opener`")

    def test_one_of_many_processes_creates(self, back_door: BackDoor, opener: Opener) -> None:
        for number, versions in enumerate(race_processes(opener, self.processes, self.rounds, create)):
            assert back_door.raw_get(create_key(number)) == line(number, only_winner(versions))

    def test_one_of_many_processes_replaces(self, bucket: Bucket, back_door: BackDoor, opener: Opener) -> None:
        old = [bucket.create(replace_key(number), b"the first of %d" % number) for number in range(self.rounds)]
        act = partial(replace, old)
        for number, versions in enumerate(race_processes(opener, self.processes, self.rounds, act)):
            assert back_door.raw_get(replace_key(number)) == line(number, only_winner(versions))

    def test_increments_by_processes_are_all_counted(self, bucket: Bucket, back_door: BackDoor, opener: Opener) -> None:
        bucket.create(COUNTER, b"0")
        rounds = max(2, self.rounds // 10)
        race_processes(opener, self.processes, rounds, increment)
        final = back_door.raw_get(COUNTER)
        assert final is not None and int(final.split()[0]) == self.processes * rounds


COUNTER = "leased/counter.json"


def create_key(number: int) -> str:
    """The key that all create in this round."""
    return f"done/{number:05d}.json"


def replace_key(number: int) -> str:
    """The key that all replace in this round."""
    return f"leased/{number:05d}.json"


def line(number: int, racer: int) -> bytes:
    """The body that this racer writes in this round."""
    return b"%d of %d" % (racer, number)


def create(bucket: Bucket, number: int, racer: int) -> str | None:
    """One racer's turn in a race of creators."""
    return decided(lambda: bucket.create(create_key(number), line(number, racer)))


def replace(old: list[str], bucket: Bucket, number: int, racer: int) -> str | None:
    """One racer's turn in a race of replacers; `old` are the versions at the start."""
    return decided(lambda: bucket.replace(replace_key(number), line(number, racer), old[number]))


def increment(bucket: Bucket, number: int, racer: int) -> str | None:
    """Adds one to the counter, however often others are quicker."""
    while True:
        found = bucket.get(COUNTER)
        assert found is not None
        body, version = b"%d by %d.%d" % (int(found.body.split()[0]) + 1, racer, number), found.version
        if new := decided(lambda: bucket.replace(COUNTER, body, version)):  # noqa: B023
            return new


def race_processes(opener: Opener, processes: int, rounds: int, act: Act) -> list[list[str | None]]:
    """Calls `act(bucket, round, racer)` in one process per racer, each round from a barrier: `[round][racer]`."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(processes), context.Queue()
    runners = [
        context.Process(target=_run, args=(opener, barrier, answers, rounds, racer, act), daemon=True)
        for racer in range(processes)
    ]
    for runner in runners:
        runner.start()
    by_racer = dict(answers.get(timeout=WHOLE_RACE_S) for _ in runners)
    for runner in runners:
        runner.join()
    broken = [error for error in by_racer.values() if isinstance(error, str)]
    assert not broken, f"a process failed: {broken}"
    return [list(versions) for versions in zip(*(by_racer[racer] for racer in range(processes)), strict=True)]


def _run(opener: Opener, barrier: Barrier, answers: Queue[Any], rounds: int, racer: int, act: Act) -> None:
    try:
        bucket, versions = opener(), []
        for number in range(rounds):
            barrier.wait(PATIENCE_S)
            versions.append(act(bucket, number, racer))
        answers.put((racer, versions))
    except Exception as error:  # noqa: BLE001 - it is told to the parent process
        barrier.abort()
        answers.put((racer, repr(error)))
