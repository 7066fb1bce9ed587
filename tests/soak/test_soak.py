"""The soak: simulated hours of a hundred workers, one attempt in fifty taking its worker with it, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.speed import fast
from tests.sizing import only_at_full_size, pick
from tests.soak import bill
from tests.soak.findings import SLACK_S, check_bill, examine
from tests.soak.fleet import Fleet, Plan

PLAN = Plan(workers=100, jobs=pick(1_000, 20_000), seed=4)


@pytest.fixture(autouse=True)
def quickly() -> Iterator[None]:
    with fast():
        yield


@pytest.mark.timeout(900)
def test_a_fleets_hours() -> None:
    fleet = Fleet(PLAN)
    fleet.run()
    found = examine(fleet)
    print(found)
    assert found.amount.deaths > PLAN.jobs * PLAN.death / 2
    assert found.unexplained_wait_s < SLACK_S, "a job starved"
    check_bill(found)


@pytest.mark.timeout(900)
def test_a_crowd_costs_no_more_a_job() -> None:
    """Without what docs/protocol.md says of hundreds of workers: 8.0 GET and 4.2 DELETE a job, twice what they cost with it."""
    only_at_full_size("the bill of four hundred workers")
    fleet = Fleet(Plan(workers=400, jobs=6_000, seed=1))
    fleet.run()
    found = examine(fleet)
    print(found)
    assert found.unexplained_wait_s < SLACK_S, "a job starved"
    check_bill(found)


def test_a_run_follows_from_its_plan() -> None:
    bills = []
    for _ in range(2):
        fleet = Fleet(Plan(workers=5, jobs=40, seed=9))
        fleet.run(settle_s=600.0)
        bills.append(fleet.bill())
    assert bills[0] == bills[1]


def test_the_checks_bite() -> None:
    fleet = Fleet(Plan(workers=5, jobs=20, death=0.0, seed=2))
    fleet.run(settle_s=600.0)
    found = examine(fleet)
    check_bill(found)
    found.bill["list"] *= 5
    with pytest.raises(AssertionError, match="list, not"):
        check_bill(found)
    fleet.counts.first_start_s[next(iter(fleet.submitted))] += 1000.0
    assert examine(fleet).unexplained_wait_s > SLACK_S
    fleet.store.results.popitem()
    with pytest.raises(AssertionError, match="a job was lost"):
        examine(fleet)
    with pytest.raises(AssertionError, match="rewritten"):
        fleet.store.replace("done/x.json", b"", "")


def test_the_allowance_has_two_constants_and_no_more() -> None:
    small = bill.Amount(jobs=100, deaths=2, beats=600.0, worker_hours=10.0)
    large = bill.Amount(jobs=1000, deaths=20, beats=6000.0, worker_hours=100.0)
    most, ten_times = bill.allowance(small), bill.allowance(large)
    assert all(ten_times[verb] == pytest.approx(10 * most[verb]) for verb in most)
