"""Schedules by seed: the real protocol and the real worker under faults, floats, freezes, crashes and cancels.

A failure names its profile and seed; `python -m tests.simulation PROFILE SEED` replays it with every step.
"""

from __future__ import annotations

import pytest

from tests.simulation.explore import Covered
from tests.simulation.profiles import ALL, BY_NAME, STORM, Profile
from tests.simulation.schedule import run_seed
from tests.simulation.speed import fast
from tests.sizing import pick

SCHEDULES = pick(3000, 50_000)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_no_schedule_breaks_an_invariant(profile: Profile) -> None:
    covered = Covered()
    with fast():
        for seed in range(SCHEDULES // len(ALL)):
            report = run_seed(profile, seed)
            covered.add(report, seed)
            assert not report.violation, f"{report.violation}\nreplay: python -m tests.simulation {profile.name} {seed}"
    print(f"{profile.name}: {covered}")
    assert covered.ends["succeeded"] > 0
    assert covered.runs > 0


def test_a_seed_replays_to_the_same_trace() -> None:
    with fast():
        once = run_seed(STORM, 7, traced=True)
    again = run_seed(STORM, 7, traced=True)  # without the shortcuts that make it fast
    assert once.trace == again.trace
    assert len(once.trace) > 20


def test_every_kind_of_trouble_is_met() -> None:
    with fast():
        lines = [line for seed in range(80) for line in run_seed(STORM, seed, traced=True).trace]
    text = "\n".join(lines)
    troubles = ("fails before", "fails after", "floats", "busy", "stale", "late answer", "is lost")
    events = (
        "crashes",
        "freezes",
        "goes on",
        "lands: ",
        "and once more",
        "time passes",
        "told to stop",
        "told to drain",
    )
    for trouble in (*troubles, *events):
        assert trouble in text, trouble


def test_removal_takes_place_in_the_profile_that_is_about_it() -> None:
    with fast():
        traces = ["\n".join(run_seed(BY_NAME["removal"], seed, traced=True).trace) for seed in range(60)]
    assert sum("delete done/" in trace for trace in traces) > 5
