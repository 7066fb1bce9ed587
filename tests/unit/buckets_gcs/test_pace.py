"""One change of an object a second: the second one waits its turn, others do not."""

from __future__ import annotations

import pytest

from gpujob.buckets.gcs_pace import MANY, Pace
from gpujob.errors import Busy, PreconditionFailed
from tests.contract.instant import InstantRuntime


@pytest.fixture
def runtime() -> InstantRuntime:
    return InstantRuntime()


@pytest.fixture
def pace(runtime: InstantRuntime) -> Pace:
    return Pace(runtime)


def change(pace: Pace, key: str, error: type[Exception] | None = None) -> None:
    try:
        with pace.change_of(key):
            if error is not None:
                raise error("as told")
    except (Busy, PreconditionFailed, ConnectionError):
        pass


def test_a_second_change_waits_and_other_names_do_not(pace: Pace, runtime: InstantRuntime) -> None:
    for key in ("a", "b", "a", "c", "b"):
        change(pace, key)
    assert runtime.naps == [1.0], "only the second change of a came too early; that of b came a second later"


def test_only_what_is_left_of_the_second_is_waited_for(pace: Pace, runtime: InstantRuntime) -> None:
    change(pace, "a")
    runtime.sleep(0.75)
    change(pace, "a")
    assert runtime.naps == [0.75, 0.25]


@pytest.mark.parametrize(("error", "naps"), [(Busy, [1.0]), (ConnectionError, [1.0]), (PreconditionFailed, [])])
def test_after_what_may_have_been_a_change_the_next_waits(
    pace: Pace, runtime: InstantRuntime, error: type[Exception], naps: list[float]
) -> None:
    change(pace, "a", error)
    change(pace, "a")
    assert runtime.naps == naps


def test_names_are_forgotten(pace: Pace, runtime: InstantRuntime) -> None:
    for number in range(3 * MANY):
        change(pace, f"key-{number}")
        runtime.sleep(0.01)
    assert len(pace._changed) <= MANY
