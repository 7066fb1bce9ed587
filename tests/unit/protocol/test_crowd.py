"""Many workers on one queue: who takes what has only just come, and how often the others look."""

from __future__ import annotations

import pytest

from gpujob import keys
from gpujob.protocol.poll import CROWD, LONGEST_IDLE_S, SHORTEST_IDLE_S, YOUNG_S, Poller
from gpujob.testing.store_setting import claim, echo, poller
from tests.unit.protocol.scripted import Scene, scene

LONG = {"ttl_s": 3600.0, "beat_s": 600.0}  # nobody beats here, and every lease is to stay fresh


def idle_among(busy: int) -> tuple[Scene, Poller]:
    """A queue on which so many hold a lease, and a worker that has looked and found nothing."""
    queue = scene(**LONG)
    for number in range(busy):
        queue.store.submit(echo())
        claim(queue.store, f"busy-{number}")
    finder = poller(queue.store, "idle")
    assert finder.next() is None
    return queue, finder


def seconds_to_find(queue: Scene, finder: Poller) -> float:
    began_s = queue.clock.elapsed()
    while finder.next() is None:
        assert queue.clock.elapsed() - began_s < 300, "never"
        queue.clock.sleep(max(0.01, finder.wait_s()))
    return queue.clock.elapsed() - began_s


def test_an_idle_worker_of_a_crowd_leaves_a_young_job_to_those_that_have_just_finished() -> None:
    queue, finder = idle_among(CROWD + 1)
    queue.clock.sleep(finder.wait_s())
    queue.store.submit(echo())
    assert finder.next() is None
    finder.again()
    assert finder.next() is not None


def test_of_a_small_fleet_whoever_looks_takes_it() -> None:
    queue, finder = idle_among(CROWD)
    queue.clock.sleep(finder.wait_s())
    queue.store.submit(echo())
    assert finder.next() is not None


def test_the_first_look_of_a_worker_takes_it_too() -> None:
    """`--once` has no other."""
    queue, _ = idle_among(CROWD + 1)
    queue.store.submit(echo())
    assert poller(queue.store, "new").next() is not None


@pytest.mark.parametrize("busy", [1, CROWD + 1, 10 * CROWD])
def test_a_job_that_nobody_else_takes_is_found_all_the_same(busy: int) -> None:
    queue, finder = idle_among(busy)
    queue.clock.sleep(finder.wait_s())
    queue.store.submit(echo())
    assert seconds_to_find(queue, finder) <= YOUNG_S + LONGEST_IDLE_S


def test_a_job_whose_date_lies_ahead_is_not_young_for_ever() -> None:
    """As of a folder that was copied, or of a store whose nodes' clocks differ."""
    queue, finder = idle_among(CROWD + 1)
    queue.clock.sleep(finder.wait_s())
    queue.store.submit(echo())
    (key,) = (entry.key for entry in queue.machine.list(keys.PENDING).entries)
    queue.machine._shift.written[key] += 86400.0
    assert finder.next() is not None


def test_the_more_are_busy_the_less_often_an_idle_one_looks() -> None:
    pauses_s = {busy: idle_among(busy)[1].wait_s() for busy in (1, CROWD, 4 * CROWD, 8 * CROWD)}
    for busy, pause_s in pauses_s.items():
        expected_s = max(SHORTEST_IDLE_S, busy / CROWD)
        assert 0.75 * expected_s <= pause_s <= expected_s, (busy, pause_s)


def test_a_page_on_which_others_were_quicker_is_backed_off_from_as_from_an_empty_one() -> None:
    """It was looked at again each second, for as long as somebody else was always quicker."""
    queue = scene(**LONG)
    finder = poller(queue.store, "late")
    pauses_s = []
    for _ in range(6):
        queue.store.submit(echo())
        queue.order("get", keys.PENDING, before=lambda: claim(queue.store, "quick"))
        assert finder.next() is None
        pauses_s.append(finder.wait_s())
        queue.clock.sleep(finder.wait_s())
    assert pauses_s[0] <= SHORTEST_IDLE_S and pauses_s[-1] > 16 * SHORTEST_IDLE_S, pauses_s
    finder.again()
    queue.store.submit(echo())
    assert finder.next() is not None
