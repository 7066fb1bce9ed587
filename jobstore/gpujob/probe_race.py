"""The probe's races: many writers at the same moment, exactly one winner, and the winner's body in the bucket.

Invariant: all racers wait for one signal before they write, so that a store which checks first and writes later is
caught, and no answer that was lost is held against the store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gpujob.clock import Runtime
from gpujob.errors import Configuration
from gpujob.probe_trials import Told, Trials

START_TIMEOUT_S = 60.0


def race_to_create(trials: Trials, runtime: Runtime, racers: int) -> str:
    """One round for an absent object: `one winner`, or what was seen instead."""
    key = trials.key("race")
    return _run(trials, runtime, racers, key, lambda body: trials.bucket.create(key, body))


def race_to_replace(trials: Trials, runtime: Runtime, racers: int) -> str:
    """One round for an object whose version all racers know."""
    key, _ = trials.placed("relay")
    version = trials.version(key)
    return _run(trials, runtime, racers, key, lambda body: trials.bucket.replace(key, body, version))


def _run(trials: Trials, runtime: Runtime, racers: int, key: str, write: Callable[[bytes], str]) -> str:
    bodies = [trials.body() for _ in range(racers)]
    told: dict[bytes, Told] = dict.fromkeys(bodies, "unknown")
    ready, go = {body: runtime.event() for body in bodies}, runtime.event()

    def racer(body: bytes) -> None:
        ready[body].set()
        go.wait(START_TIMEOUT_S)
        try:
            told[body] = trials.told(lambda: write(body))
        except Configuration:
            told[body] = "lost"

    tasks = [runtime.spawn(f"probe-{number}", partial(racer, body)) for number, body in enumerate(bodies)]
    for event in ready.values():
        event.wait(START_TIMEOUT_S)
    go.set()
    for task in tasks:
        task.join()
    return judge(told, trials.found(key))


def judge(told: dict[bytes, Told], owner: bytes | None) -> str:
    """One round: at most one was told that it won, and what is there is the winner's (or that of one not told)."""
    winners = [body for body, outcome in told.items() if outcome == "won"]
    if len(winners) > 1:
        return f"{len(winners)} winners"
    possible = winners or [body for body, outcome in told.items() if outcome == "unknown"]
    if owner in possible:
        return "one winner"
    return "a winner whose body is not there" if winners else "no winner"
