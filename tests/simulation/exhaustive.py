"""Small cases exhaustively: every schedule that departs from the plain one at most `bound` times.

The plain schedule lets the task that went last go on while it can, else the first that can, else moves to the next
timer. A departure is one of: another task goes on instead; the request fails before or after it is applied, or floats;
a floating request lands, or a duplicate of it; a listing is as old as the empty bucket; a lease's time passes; the party
crashes or freezes (and goes on when nothing else can). The search runs each schedule from the start again (stateless), in
the order of its departures.

Invariant: the world is a function of the list of departures, so each schedule within the bound runs exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation.parties import Script, job_manifest
from tests.simulation.schedule import Report, Stage, build, play
from tests.simulation.world import AFTER, BEFORE, FLOAT, NORMAL, STALE, Task

Path = tuple[tuple[int, int], ...]  # (step, which of its alternatives) of each departure, in order
LEASE_PASSES_S = 31.0
WRITES = ("create", "replace", "upload", "delete")


@dataclass(frozen=True)
class Case:
    """A small case: who takes part, what the executor does, what may happen, and how often at most."""

    name: str
    workers: int = 2
    scripts: tuple[Script, ...] = (Script("u"),)
    cancel_at_s: float | None = None
    ttl_s: float = 86400.0
    steps: int = 40
    faults: bool = True
    crashes: bool = True
    submitters: int = 1


CASES = (
    Case("two workers, one job"),
    Case("a job that fails once", scripts=(Script("", "fail"), Script("u")), workers=1, steps=50),
    Case("a cancel at any time", cancel_at_s=0.1, steps=45),
    Case("a job that expires", ttl_s=1.0, steps=30),
    Case("a long run that beats", scripts=(Script("l"),), steps=40),
)


class PathPolicy:
    """Follows one path of departures and notes how many alternatives each step had."""

    def __init__(self, stage: Stage, case: Case, path: Path) -> None:
        self.stage = stage
        self.world = stage.world
        self.case = case
        self.departures = dict(path)
        self.widths: list[int] = []
        self._last: Task | None = None

    def run(self) -> None:
        """Goes on for the case's number of steps, or until all is at rest."""
        number = 0
        while number < self.case.steps:
            if not self.world.ready and not self._wait():
                return
            if self._over():
                return
            alternatives = self._alternatives()
            self.widths.append(len(alternatives))
            alternatives[self.departures.get(number, 0)]()
            number += 1

    def _alternatives(self) -> list[Callable[[], None]]:
        world = self.world
        plain = self._last if self._last in world.ready else min(world.ready, key=lambda task: task.order)
        assert plain is not None
        ways: list[Callable[[], None]] = [self._going(plain, NORMAL)]
        ways += [
            self._going(task, NORMAL) for task in sorted(world.ready, key=lambda task: task.order) if task is not plain
        ]
        if self.case.faults:
            ways += [self._going(plain, fate) for fate in _fates(plain.verb)]
            for index in range(len(world.floats)):
                ways += [lambda i=index: world.land(i), lambda i=index: world.land(i, again=True)]  # type: ignore[misc]
        ways.append(self._time_passes)
        if self.case.crashes and plain.party.name != "submitter0":
            ways += [lambda: world.crash(plain.party), lambda: world.freeze(plain.party, 1e6)]
        return ways

    def _going(self, task: Task, fate: int) -> Callable[[], None]:
        def go() -> None:
            self._last = task
            self.world.go(task, fate)

        return go

    def _time_passes(self) -> None:
        self.world.say("a lease's time passes")
        self.world.advance(self.world.now_s + LEASE_PASSES_S)

    def _wait(self) -> bool:
        world = self.world
        due = world.next_timer_s()
        if due is not None and not self._idle():
            world.advance(due)
            return bool(world.ready) or self._wait()
        for party in world.parties:
            if party.frozen and not party.dead:
                world.thaw(party)
                return bool(world.ready) or self._wait()
        if due is None:
            return False
        world.advance(due)
        return bool(world.ready) or self._wait()

    def _idle(self) -> bool:
        """Whether all that is not frozen only polls for jobs that are not there."""
        return self.stage.ledger.at_rest() and any(party.frozen and not party.dead for party in self.world.parties)

    def _over(self) -> bool:
        world = self.world
        if world.floats or not self.stage.ledger.at_rest() or any(p.frozen and not p.dead for p in world.parties):
            return False
        return all(
            task.ended or (task.name == "main" and task.party.worker is not None and task.verb in ("", "list"))
            for party in world.parties
            if not party.dead
            for task in party.tasks
        )


def _fates(verb: str) -> tuple[int, ...]:
    if verb in WRITES:
        return (BEFORE, AFTER, FLOAT)
    if verb == "list":
        return (STALE,)
    return (BEFORE,) if verb else ()


def run_path(case: Case, path: Path, *, traced: bool = False, variant: Any = None) -> Report:
    """The schedule of one path."""
    rng = Random(case.name)
    stage = build(rng, lambda job, attempt: case.scripts[min(attempt, len(case.scripts)) - 1], traced=traced)
    if variant is not None:
        variant.prepare(stage)
    policy = PathPolicy(stage, case, path)

    def trouble() -> None:
        manifest = job_manifest(rng, ttl_s=case.ttl_s)
        stage.cast.submitter("submitter0", manifest)
        for number in range(case.workers):
            stage.cast.worker(f"w{number}")
        if case.cancel_at_s is not None:
            stage.cast.canceller("canceller", manifest.id, case.cancel_at_s)
        policy.run()
        stage.world.floats.clear()

    report = play(stage, trouble, rng)
    report.choices = policy.widths
    return report


def paths_from(report: Report, path: Path) -> Iterator[Path]:
    """Every path with one departure more than `path`, later than its last one."""
    first = path[-1][0] + 1 if path else 0
    for step in range(first, len(report.choices)):
        for way in range(1, report.choices[step]):
            yield (*path, (step, way))


@dataclass
class Coverage:
    """How many schedules were run, by their number of departures, and the first that failed."""

    schedules: Counter[int] = field(default_factory=Counter)
    violation: str = ""
    path: Path = ()


def explore(case: Case, bound: int, *, variant: Any = None) -> Coverage:
    """Runs every schedule of a case with at most `bound` departures; stops at the first violation."""
    covered = Coverage()
    waiting: list[Path] = [()]
    while waiting:
        path = waiting.pop()
        report = run_path(case, path, variant=variant)
        covered.schedules[len(path)] += 1
        if report.violation:
            covered.violation, covered.path = report.violation, path
            return covered
        if len(path) < bound:
            waiting.extend(paths_from(report, path))
    return covered
