"""The simulation notices each of the nine known ways to break the protocol, within the budget of the quick run.

The control: the very same schedules, on the code as it is, break nothing.
"""

from __future__ import annotations

import pytest

from tests.simulation.exhaustive import CASES, explore
from tests.simulation.schedule import run_seed
from tests.simulation.speed import fast
from tests.simulation.variants import VARIANTS

BUDGET = 3000


def _caught_at(name: str) -> int:
    """The number of schedules by seed until the first violation."""
    variant = VARIANTS[name]
    with fast():
        for seed in range(BUDGET):
            if run_seed(variant.profile, seed, variant=variant).violation:
                assert not run_seed(variant.profile, seed).violation, "the code as it is fails on the same schedule"
                return seed + 1
    return 0


@pytest.mark.parametrize("name", VARIANTS)
def test_a_naive_variant_is_caught_by_seed(name: str) -> None:
    caught_at = _caught_at(name)
    print(f"{VARIANTS[name].says}: caught after {caught_at} schedules of the profile {VARIANTS[name].profile.name}")
    assert caught_at, f"{VARIANTS[name].says}: not caught by {BUDGET} schedules"


@pytest.mark.parametrize("name", VARIANTS)
def test_a_naive_variant_is_caught_by_two_departures(name: str) -> None:
    variant = VARIANTS[name]
    case = CASES[4] if name == "plain-beat" else CASES[0]
    with fast(), variant.applied():
        covered = explore(case, 2, variant=variant)
    print(f"{variant.says}: caught after {covered.schedules.total():,} schedules of {case.name!r}: {covered.path}")
    assert covered.violation
