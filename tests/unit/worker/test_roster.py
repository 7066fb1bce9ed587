"""Who is loaded, who stays warm, and who makes room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.executor import Executor, JobContext, Needs, Outcome, Report
from gpujob_worker.machine import Free
from gpujob_worker.roster import Roster, enough
from tests.fake_job import unheard

GB = 2**30


class Big(Executor):
    """Takes memory while it is loaded."""

    kinds: ClassVar[tuple[str, ...]] = ("big",)
    needs: ClassVar[Needs] = Needs(memory=4 * GB, gpu_memory=6 * GB)

    def __init__(self) -> None:
        self.loads = self.closes = 0
        self.alive = True

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        self.loads += 1
        return (f"{self.kinds[0]}-model",)

    def is_warm(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.closes += 1

    def run(self, job: JobContext) -> Outcome:
        return Outcome({})


class Second(Big):
    kinds: ClassVar[tuple[str, ...]] = ("second",)


class Third(Big):
    kinds: ClassVar[tuple[str, ...]] = ("third",)


def test_the_least_recently_used_makes_room_and_no_more_than_needed() -> None:
    big, second, third = Big(), Second(), Third()

    def free() -> Free:
        held = sum(one.loads - one.closes > 0 for one in (big, second, third))
        return Free(memory=100 * GB, gpu_memory=(12 - 6 * held) * GB)

    roster = Roster([big, second, third], free=free)
    for kind in ("big", "second", "big"):
        roster.load(kind, {}, unheard)
    big.loads = second.loads = 1
    roster.load("third", {}, unheard)
    assert (big.closes, second.closes, third.closes) == (0, 1, 0)
    assert roster.warm() == (("big", "third"), ("big-model", "third-model"))


def test_where_memory_is_not_known_nobody_leaves() -> None:
    big, second = Big(), Second()
    roster = Roster([big, second])
    roster.load("big", {}, unheard)
    roster.load("second", {}, unheard)
    assert big.closes == 0


def test_what_cannot_fit_is_tried_alone() -> None:
    big, second = Big(), Second()
    roster = Roster([big, second], free=lambda: Free(memory=GB, gpu_memory=GB))
    roster.load("big", {}, unheard)
    roster.load("second", {}, unheard)
    assert (big.closes, second.loads) == (1, 1)


def test_a_warm_one_is_loaded_without_a_look_at_memory() -> None:
    asked = []
    roster = Roster([Big()], free=lambda: asked.append(1) or Free())  # type: ignore[func-returns-value]
    roster.load("big", {}, unheard)
    roster.load("big", {"model": "x"}, unheard)
    assert len(asked) <= 1


def test_an_executor_that_fails_to_load_is_not_warm() -> None:
    class Broken(Big):
        def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
            raise JobFailed("no such model", type="model_not_found")

    roster = Roster([Broken()])
    with pytest.raises(JobFailed):
        roster.load("big", {}, unheard)
    assert roster.warm() == ((), ())


def test_a_kind_that_nobody_serves_is_said() -> None:
    with pytest.raises(JobFailed, match="does not serve third"):
        Roster([Big()]).load("third", {}, unheard)
    assert Roster([Big(), Second()], kinds=["second"]).kinds == ("second",)


def test_one_that_has_died_is_not_warm_and_room_is_made_for_it_again() -> None:
    """The presence record told of its models, jobs of its kind came first, and it was loaded without a look at memory."""
    big, second, free_gb = Big(), Second(), [100]
    roster = Roster([big, second], free=lambda: Free(memory=free_gb[0] * GB))
    roster.load("second", {}, unheard)
    roster.load("big", {}, unheard)
    big.alive = False
    assert roster.warm() == (("second",), ("second-model",))
    assert (roster.is_warm("big"), roster.is_warm("second")) == (False, True)
    free_gb[0] = 1
    roster.load("big", {}, unheard)
    assert second.closes == 1


def test_one_that_has_died_is_not_asked_to_make_room() -> None:
    big, second = Big(), Second()
    roster = Roster([big, second], free=lambda: Free(memory=GB))
    roster.load("big", {}, unheard)
    big.alive = False
    roster.load("second", {}, unheard)
    assert big.closes == 0


def test_after_an_attempt_that_ran_out_of_memory_all_others_leave_before_the_next() -> None:
    """What it needs is known to nobody: with more than `needs` free it ran out of memory until its attempts were used up."""
    big, second, third = Big(), Second(), Third()
    roster = Roster([big, second, third], free=lambda: Free(memory=100 * GB, gpu_memory=100 * GB))
    for kind in ("second", "big", "third"):
        roster.load(kind, {}, unheard)
    big.ran_out, big.alive = True, False
    assert roster.load("big", {}, unheard) is big
    assert (big.closes, second.closes, third.closes) == (0, 1, 1)
    big.ran_out, big.alive = False, True
    assert roster.warm() == (("big",), ("big-model",))
    roster.load("second", {}, unheard)
    assert big.closes == 0


@pytest.mark.parametrize("alive", [True, False])
def test_one_that_fails_to_load_another_model_can_still_make_room(alive: bool) -> None:
    class Choosy(Big):
        def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
            if wanted:
                self.alive = alive
                raise JobFailed("no such model", type="model_not_found")
            return super().load(wanted, report)

    big, second = Choosy(), Second()
    roster = Roster([big, second], free=lambda: Free(memory=GB))
    roster.load("big", {}, unheard)
    with pytest.raises(JobFailed):
        roster.load("big", {"model": "x"}, unheard)
    assert roster.warm() == ((("big",) if alive else ()), ())
    roster.load("second", {}, unheard)
    assert big.closes == int(alive)


@pytest.mark.parametrize(
    ("free", "fits"),
    [
        (Free(), True),
        (Free(memory=4 * GB), True),
        (Free(memory=4 * GB - 1), False),
        (Free(memory=9 * GB, gpu_memory=5 * GB), False),
    ],
)
def test_enough(free: Free, fits: bool) -> None:
    assert enough(Big.needs, free) is fits
