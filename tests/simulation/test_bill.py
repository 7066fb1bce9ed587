"""What an idle worker costs in an hour, counted on the real worker with its presence, its sweeps and its polling."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from gpujob.buckets.counting import CountingBucket
from gpujob.store import JobStore
from tests.simulation.parties import CONFIG, Script
from tests.simulation.runtime import SimRuntime
from tests.simulation.schedule import build
from tests.simulation.store import SimBucket
from tests.simulation.world import START_S, Party, World

HOUR_S = 3600.0


def _an_hour_of(workers: int, seed: int) -> dict[str, int]:
    rng = Random(seed)
    stage = build(rng, lambda job, attempt: Script())
    counting: list[CountingBucket] = []

    def connect(party: Party) -> JobStore:
        counting.append(CountingBucket(SimBucket(stage.world, party, stage.store, lambda writes: 0)))
        own = Random(rng.getrandbits(64))
        return JobStore(counting[-1], config=CONFIG, runtime=SimRuntime(stage.world, party), rng=own)

    stage.cast.connect = connect
    for number in range(workers):
        stage.cast.worker(f"w{number}", presence=True, sweeping=None)
    _live_until(stage.world, START_S + HOUR_S)
    stage.world.close()
    total: Any = sum((each.billed() for each in counting), start=counting[0].billed() - counting[0].billed())
    return dict(total)


def _live_until(world: World, end_s: float) -> None:
    while world.now_s < end_s:
        while world.ready:
            world.go(world.ready[0])
        due_s = world.next_timer_s()
        assert due_s is not None
        world.advance(due_s)


@pytest.mark.parametrize("seed", range(3))
def test_an_idle_workers_hour(seed: int) -> None:
    bill = _an_hour_of(1, seed)
    print(f"an idle worker's hour: {bill}")
    assert set(bill) == {"put", "list"}
    assert 59 <= bill["put"] <= 62, "presence, once a minute"
    assert 200 <= bill["list"] <= 300, (
        "polling at 30 s, a look at the leases every ttl + margin, a sweep every ten minutes"
    )


def test_ten_idle_workers_cost_ten_times_as_much() -> None:
    assert _an_hour_of(10, 1)["list"] <= 3000
