"""The policy of random schedules: one seed decides which task goes on, what becomes of its request, and every disturbance.

Invariant: all chance comes from the one generator that the policy is given, in the order of the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.simulation.profiles import LATEST_S, Profile
from tests.simulation.world import (
    AFTER,
    BEFORE,
    BUSY,
    FLOAT,
    LATE,
    LOST_SEND,
    NORMAL,
    STALE,
    Party,
    Task,
    World,
)

JUMPS_S = (0.4, 3.0, 11.0, 24.0, 31.0, 31.0, 70.0, 400.0)
FREEZES_S = (5.0, 20.0, 26.0, 35.0, 35.0, 80.0, 1000.0)
BOUNDED_JUMPS_S = (0.4, 11.0, 31.0, 80.0, 80.0)
WRITE_FATES = (BEFORE, AFTER, FLOAT, FLOAT, BUSY, LATE)
DELETE_FATES = (LOST_SEND, AFTER, FLOAT, FLOAT, LATE)
READ_FATES = (BEFORE, BEFORE, BUSY, LATE)


class RandomPolicy:
    """Drives a world for a number of steps."""

    def __init__(self, world: World, profile: Profile, rng: Random, at_rest: Callable[[], bool]) -> None:
        self.world = world
        self.at_rest = at_rest
        self.profile = profile
        self.rng = rng
        self.crashes_left = rng.randint(0, profile.crashes)
        self.sticky = rng.choice((0.0, 0.0, 0.7, 0.9))
        self.bounded = profile.removal
        self._last: Party | None = None
        self._kinds = (
            [self._jump] * profile.jump_weight
            + [self._crash] * profile.crash_weight
            + [self._freeze] * profile.freeze_weight
            + [self._land] * profile.land_weight
            + [self._stop] * profile.stop_weight
        )

    def run(self, steps: int) -> None:
        """Goes on until `steps` have been made or nothing can happen any more."""
        world, random = self.world, self.rng.random
        disturb, faults = self.profile.disturb, self.profile.faults
        for number in range(steps):
            if not number & 7 and self._over():
                return
            if random() < disturb:
                self.rng.choice(self._kinds)()
            if self.bounded:
                self._keep_bounds()
            if not world.ready and not self._wait():
                return
            task = self._pick()
            fate = self._fate(task) if task.verb and random() < faults else NORMAL
            world.go(task, fate)

    def _over(self) -> bool:
        """Whether all jobs are at rest and nobody has anything under way but polling."""
        if self.bounded or self.world.floats or not self.at_rest():
            return False
        return all(
            task.ended or (task.name == "main" and task.party.worker is not None and task.verb in ("", "list"))
            for party in self.world.parties
            if not party.dead
            for task in party.tasks
        )

    def _pick(self) -> Task:
        ready = self.world.ready
        if self.sticky and self._last is not None and self.rng.random() < self.sticky:
            for task in ready:
                if task.party is self._last:
                    return task
        task = ready[int(self.rng.random() * len(ready))]
        self._last = task.party
        return task

    def _fate(self, task: Task) -> int:
        verb = task.verb
        if verb in ("create", "replace", "upload", "put"):
            return self.rng.choice(WRITE_FATES)
        if verb == "delete":
            return self.rng.choice(DELETE_FATES)
        if verb == "list" and self.rng.random() < self.profile.stale:
            return STALE
        return NORMAL if verb.startswith("answer") else self.rng.choice(READ_FATES)

    def _wait(self) -> bool:
        """Nothing can go on now: moves to the next timer or thaw; False where there is none."""
        world = self.world
        due = world.next_timer_s()
        thaws = [party for party in world.parties if party.frozen and not party.dead]
        first = min(thaws, key=lambda party: party.thaw_at_s, default=None)
        if first is not None and (due is None or first.thaw_at_s <= due):
            world.advance(first.thaw_at_s)
            world.thaw(first)
        elif due is not None:
            world.advance(due)
        else:
            return False
        return bool(world.ready) or self._wait()

    # -- disturbances

    def _jump(self) -> None:
        jump_s = self.rng.choice(BOUNDED_JUMPS_S if self.bounded else JUMPS_S)
        if self.bounded and not self._anything_under_way():
            jump_s = 400.0
        self.world.advance(self.world.now_s + jump_s)
        self.world.say("time passes")

    def _anything_under_way(self) -> bool:
        world = self.world
        return bool(world.floats) or any(p.frozen for p in world.parties) or any(task.verb for task in world.ready)

    def _crash(self) -> None:
        parties = [party for party in self.world.parties if not party.dead]
        if self.crashes_left and parties:
            self.crashes_left -= 1
            self.world.crash(self.rng.choice(parties))

    def _freeze(self) -> None:
        parties = [party for party in self.world.parties if not party.dead]
        party = self.rng.choice(parties) if parties else None
        if party is None:
            return
        if party.frozen:
            self.world.thaw(party)
        else:
            self.world.freeze(party, self.rng.choice(FREEZES_S[:5] if self.bounded else FREEZES_S))

    def _land(self) -> None:
        if self.world.floats:
            self.world.land(int(self.rng.random() * len(self.world.floats)), again=self.rng.random() < 0.3)

    def _stop(self) -> None:
        workers = [party.worker for party in self.world.parties if party.worker is not None and not party.dead]
        if workers:
            worker = self.rng.choice(workers)
            if self.rng.random() < 0.7:
                self.world.say(f"{worker.id} is told to stop")
                worker.stop()
            else:
                self.world.say(f"{worker.id} is told to drain")
                worker.drain()

    def _keep_bounds(self) -> None:
        """Where done/ may be removed: nothing that is under way, or frozen, is older than LATEST_S."""
        world = self.world
        oldest_s = world.now_s - LATEST_S
        while world.floats and world.floats[0].born_s < oldest_s:
            if self.rng.random() < 0.5:
                world.land(0)
            else:
                world.floats.pop(0)
        for party in world.parties:
            if party.frozen and not party.dead and party.thaw_at_s <= world.now_s:
                world.thaw(party)
        for task in [task for task in world.ready if task.verb and task.parked_s < oldest_s]:
            world.go(task)
