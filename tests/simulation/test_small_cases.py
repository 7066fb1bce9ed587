"""Small cases exhaustively, up to a bound on the departures from the plain schedule (see `exhaustive`)."""

from __future__ import annotations

import pytest

from tests.simulation.exhaustive import CASES, Case, Coverage, explore, run_path
from tests.simulation.parties import Script
from tests.simulation.speed import fast
from tests.sizing import only_at_full_size, pick

ALONE = Case("one worker, one job", workers=1, steps=26)


def _explored(case: Case, bound: int) -> Coverage:
    with fast():
        covered = explore(case, bound)
    assert not covered.violation, (
        f"{covered.violation}\n{case.name}: departures {covered.path}\n{_trace(case, covered)}"
    )
    counts = ", ".join(f"{count:,} with {number}" for number, count in sorted(covered.schedules.items()))
    print(f"{case.name}: all {covered.schedules.total():,} schedules with at most {bound} departures ({counts})")
    return covered


def _trace(case: Case, covered: Coverage) -> str:
    return "\n".join(run_path(case, covered.path, traced=True).trace)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_schedule_within_the_bound(case: Case) -> None:
    bound = pick(1, 2)
    covered = _explored(case, bound)
    assert covered.schedules[bound] > 50


@pytest.mark.timeout(1800)
def test_one_worker_alone_further() -> None:
    only_at_full_size("one worker alone, three departures from the plain schedule")
    covered = _explored(ALONE, 3)
    assert covered.schedules[2] > 500


def test_the_plain_schedule_of_each_case_ends_as_it_should() -> None:
    for case in (*CASES, ALONE):
        report = run_path(case, ())
        assert report.ends == (["cancelled"] if case.cancel_at_s is not None and report.runs == 0 else ["succeeded"])


def test_a_job_that_fails_without_hope_ends_failed() -> None:
    assert run_path(Case("hopeless", scripts=(Script("", "hopeless"),)), ()).ends == ["failed"]
