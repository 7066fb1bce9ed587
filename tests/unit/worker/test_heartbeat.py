"""What a worker says of itself while it serves, and that it goes on saying it."""

from __future__ import annotations

import threading

from gpujob.clock import SYSTEM, SystemRuntime
from gpujob_worker.heartbeat import Heartbeat


class Clock(SystemRuntime):
    """Time that stands until it is moved."""

    at = 100.0

    def elapsed(self) -> float:
        return self.at


def test_it_says_what_the_worker_is_at_and_for_how_long() -> None:
    clock = Clock()
    heart = Heartbeat(clock, print)
    clock.at += 40.7
    assert heart.sentence() == "serving: idle for 40s, 0 jobs done"
    heart.hear("claimed", "01k8xq3v")
    clock.at += 75
    assert heart.sentence() == "serving: 01k8xq3v for 1m15s, 0 jobs done"
    heart.hear("succeeded", "01k8xq3v")
    assert heart.sentence() == "serving: idle for 0s, 1 job done"
    heart.hear("claimed", "01k8xq3w")
    heart.hear("failed", "01k8xq3w")
    assert heart.sentence().endswith("2 jobs done")


def test_it_beats_until_it_is_stopped() -> None:
    said: list[str] = []
    twice = threading.Event()

    def say(sentence: str) -> None:
        said.append(sentence)
        if len(said) == 2:
            heart.stop()
            twice.set()

    heart = Heartbeat(SYSTEM, say)
    heart.start(0.01)
    assert twice.wait(30)
    assert said[0].startswith("serving: idle")


def test_the_end_of_the_job_before_does_not_make_the_next_one_look_idle() -> None:
    heart = Heartbeat(SYSTEM, lambda sentence: None)
    heart.hear("claimed", "first")
    heart.hear("claimed", "second")
    heart.hear("succeeded", "first")
    assert heart.sentence().startswith("serving: second for ")
    assert heart.sentence().endswith("1 job done")
