"""`gpujob.clock.Runtime` in the simulated world: sleeping, waiting and locking hand control to the scheduler.

Invariant: no primitive here blocks the process, so code that held a real lock or joined a real thread across a request
would stand out as a deadlock.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.world import Party, Task, World


class SimEvent:
    """An event of the simulated world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False
        self._waiting: list[tuple[Task, int]] = []

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for task, wake in waiting:
            if task.wake == wake:
                self._world.wake(task)

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout_s: float | None = None) -> bool:
        if self._set:
            return True
        world = self._world
        if world.current is not None:
            self._waiting.append((world.current, world.current.wake + 1))
        world.block(None if timeout_s is None else world.now_s + timeout_s)
        return self._set


class SimLock:
    """A lock of the simulated world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held = False
        self._waiting: list[Task] = []

    def __enter__(self) -> object:
        while self._held:
            assert self._world.current is not None, "a lock is held where nobody is left to release it"
            self._waiting.append(self._world.current)
            self._world.block(None)
        self._held = True
        return self

    def __exit__(self, *exc: object) -> None:
        self._held = False
        if self._waiting and not self._world.closing:
            self._world.wake(self._waiting.pop(0))


class SimRuntime:
    """Time and tasks of one party. All steady clocks run alike; wall clocks are off by the party's skew."""

    def __init__(self, world: World, party: Party) -> None:
        self._world = world
        self._party = party

    def now(self) -> float:
        return self._world.now_s + self._party.skew_s

    def elapsed(self) -> float:
        return self._world.now_s

    def sleep(self, seconds: float) -> None:
        self._world.block(self._world.now_s + seconds)

    def event(self) -> SimEvent:
        return SimEvent(self._world)

    def lock(self) -> SimLock:
        return SimLock(self._world)

    def spawn(self, name: str, target: Callable[[], None]) -> Task:
        return self._world.spawn(self._party, name.split(" ", maxsplit=1)[0], target)
