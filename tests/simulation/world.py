"""A world of parties whose every request is a step: greenlets under one scheduler, with one clock.

Invariant: between two requests of one task nothing else happens, and which task goes on, and what becomes of its
request, is decided by the policy alone. So a schedule is reproducible from the policy's seed or path.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet  # type: ignore[import-untyped]

START_S = 1_750_000_000.0

# What becomes of a request. The order matters to nobody but the trace.
NORMAL, BEFORE, AFTER, FLOAT, BUSY, STALE, LATE, LOST_SEND = range(8)
FATES = ("", "fails before", "fails after", "floats", "busy", "stale", "late answer", "is lost")


@dataclass(eq=False)
class Party:
    """One process or machine: all its tasks live, freeze and die together."""

    name: str
    skew_s: float = 0.0
    dead: bool = False
    frozen: bool = False
    thaw_at_s: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    held: list[Task] = field(default_factory=list)  # those that could go on if it were not frozen
    worker: Any = None


class Task:
    """A greenlet of a party. `verb` is the request that it is about to send, empty while it waits for something else."""

    __slots__ = (
        "ended", "fate", "greenlet", "joiners", "key", "name", "order", "parked_s", "party", "run", "verb", "wake", "world"
    )  # fmt: skip

    def __init__(self, world: World, party: Party, name: str, order: int) -> None:
        self.world = world
        self.party = party
        self.name = name
        self.order = order
        self.greenlet: greenlet
        self.verb = ""
        self.key = ""
        self.fate = NORMAL
        self.wake = 0  # tells the current wait from earlier ones, whose timers are void
        self.parked_s = 0.0
        self.ended = False
        self.joiners: list[Task] = []
        self.run = ""  # the nonce of the attempt that it executes

    def join(self, timeout_s: float | None = None) -> None:
        self.world.join(self, timeout_s)

    def is_alive(self) -> bool:
        return not self.ended


@dataclass(eq=False)
class Float:
    """A write or delete on its way: it lands when the policy says so, under its own condition, or never."""

    what: str
    call: Callable[[], Any]
    born_s: float


class World:
    """The clock, the tasks that can go on, the timers, and the requests that are still on their way."""

    def __init__(self, *, trace: list[str] | None = None) -> None:
        self.now_s = START_S
        self.ready: list[Task] = []
        self.floats: list[Float] = []
        self.parties: list[Party] = []
        self.current: Task | None = None
        self.quiet = False
        self.closing = False
        self.trace = trace
        self.steps = 0
        self.lone_run = ""  # what Task.run is, in the quiet end
        self._hub = getcurrent()
        self._timers: list[tuple[float, int, int, Task]] = []
        self._order = 0

    # -- called by the tasks

    def request(self, verb: str, key: str) -> int:
        """Waits for the policy to let this request go; returns its fate."""
        task = self.current
        if task is None or self.closing or task.party.dead:
            raise GreenletExit
        task.verb, task.key, task.parked_s = verb, key, self.now_s
        self._park(task)
        self._hub.switch()
        task.verb = ""
        return task.fate

    def block(self, until_s: float | None) -> None:
        """Waits until `until_s`, or for `wake`."""
        task = self.current
        if task is None:  # the quiet end: one party alone, nobody to wait for
            if until_s is not None:
                self.now_s = max(self.now_s, until_s)
            return
        if self.closing or task.party.dead:
            raise GreenletExit
        task.wake += 1
        if until_s is not None:
            heapq.heappush(self._timers, (until_s, task.order, task.wake, task))
        self._hub.switch()

    def wake(self, task: Task) -> None:
        """Lets a waiting task go on."""
        if not task.ended:
            task.wake += 1
            self._park(task)

    def spawn(self, party: Party, name: str, target: Callable[[], Any]) -> Task:
        """Starts a task of a party; it goes on when the policy says so."""
        self._order += 1
        task = Task(self, party, name, self._order)
        task.greenlet = greenlet(lambda: self._live(task, target), self._hub)
        if self.current is None and self.quiet:
            task.ended = True  # nothing takes time in the quiet end, so nothing has to beat
            return task
        party.tasks.append(task)
        self._park(task)
        return task

    def join(self, task: Task, timeout_s: float | None) -> None:
        if not task.ended and self.current is not None:
            task.joiners.append(self.current)
            self.block(None if timeout_s is None else self.now_s + timeout_s)

    def runs(self, nonce: str) -> None:
        """Notes which attempt the current task executes, so that its files can be told from others."""
        if self.current is None:
            self.lone_run = nonce
        else:
            self.current.run = nonce

    # -- called by the policy

    def go(self, task: Task, fate: int = NORMAL) -> None:
        """Lets one ready task run up to its next request or wait."""
        self.ready.remove(task)
        self.steps += 1
        task.fate = fate
        if self.trace is not None:
            what = f"{task.verb} {task.key} {FATES[fate]}".strip() if task.verb else "goes on"
            self.say(f"{task.party.name}/{task.name}: {what}")
        self.current = task
        task.greenlet.switch()
        self.current = None

    def advance(self, to_s: float) -> None:
        """Moves the clock; tasks whose time has come can go on."""
        self.now_s = max(self.now_s, to_s)
        timers = self._timers
        while timers and timers[0][0] <= self.now_s:
            _, _, wake, task = heapq.heappop(timers)
            if wake == task.wake and not task.ended and not task.party.dead:
                task.wake += 1
                self._park(task)

    def next_timer_s(self) -> float | None:
        """The moment of the next timer of a party that lives and is not frozen."""
        timers = self._timers
        while timers and (timers[0][2] != timers[0][3].wake or timers[0][3].party.dead):
            heapq.heappop(timers)
        if timers and not timers[0][3].party.frozen:
            return timers[0][0]
        live = [row[0] for row in timers if row[2] == row[3].wake and not row[3].party.dead and not row[3].party.frozen]
        return min(live, default=None)

    def crash(self, party: Party) -> None:
        """The party is no more: nothing of it ever runs again."""
        party.dead = True
        self.ready = [task for task in self.ready if task.party is not party]
        self.say(f"{party.name} crashes")

    def freeze(self, party: Party, seconds: float) -> None:
        """The party stands still; its clock goes on, as that of a suspended machine does."""
        party.frozen = True
        party.thaw_at_s = self.now_s + seconds
        party.held = [task for task in self.ready if task.party is party]
        self.ready = [task for task in self.ready if task.party is not party]
        self.say(f"{party.name} freezes for {seconds:.0f} s")

    def thaw(self, party: Party) -> None:
        """The party goes on as if nothing had happened."""
        party.frozen = False
        self.ready += party.held
        party.held = []
        self.say(f"{party.name} goes on")

    def land(self, index: int, *, again: bool = False) -> None:
        """A floating write lands now; `again` leaves a duplicate of it under way."""
        flying = self.floats[index] if again else self.floats.pop(index)
        self.say(f"lands: {flying.what}{' (and once more)' if again else ''}")
        flying.call()

    def close(self) -> None:
        """Ends every task without letting it send anything more."""
        self.closing = True
        for party in self.parties:
            for task in party.tasks:
                if not task.ended:
                    self.current = task
                    task.greenlet.throw()
        self.current = None
        self.closing = False

    def say(self, text: str) -> None:
        """A line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.steps:4} {self.now_s - START_S:8.1f} s  {text}")

    # -- within

    def _park(self, task: Task) -> None:
        if task.party.dead:
            return
        (task.party.held if task.party.frozen else self.ready).append(task)

    def _live(self, task: Task, target: Callable[[], Any]) -> None:
        try:
            target()
        except GreenletExit:
            pass
        finally:
            task.ended = True
            for joiner in task.joiners:
                if not self.closing:
                    self.wake(joiner)
