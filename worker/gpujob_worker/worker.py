"""The worker: finds jobs, runs them one at a time, says that it lives, and leaves when it is told to.

    drain()  finish the job in hand, claim nothing more, leave        (first Ctrl-C, SIGTERM, `worker drain`)
    stop()   give the job in hand back at its next check, and leave   (second Ctrl-C, `worker stop`)

A store that fails makes it wait, not end; only credentials or a bucket that are wrong end it.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpujob.clock import Task
from gpujob.errors import BucketError, GpujobError, JobReleased, LocalDisk
from gpujob.fetching import Check
from gpujob.protocol.chosen import Chosen
from gpujob.protocol.lease import HeldLease
from gpujob.protocol.poll import Poller
from gpujob.protocol.presence import PresenceKeeper
from gpujob.records import Manifest, Presence
from gpujob.store import JobStore

from .ahead import Ahead
from .attempt import Attempt, Crew, Ending
from .executor import Executor
from .machine import Free, meets
from .roster import Roster
from .trusting import Doorkeeper, require_trust

log = logging.getLogger("gpujob.worker")

PRESENCE_EVERY_S = 60.0
SWEEP_EVERY_S = 600.0
SWEEP_REQUESTS = 20
LONGEST_TROUBLE_S = 30.0


@dataclass(frozen=True)
class Limits:
    """When a worker leaves by itself; None means never. In a limited life it claims no job whose timeout is longer.

    With `jobs` it claims these alone, and leaves when they have ended.
    """

    once: bool = False
    max_jobs: int | None = None
    idle_exit_s: float | None = None
    max_lifetime_s: float | None = None
    jobs: tuple[str, ...] = ()


@dataclass
class Summary:
    """What a worker did, by ending."""

    endings: Counter[Ending] = field(default_factory=Counter)

    @property
    def jobs(self) -> int:
        """Attempts that were run."""
        return sum(self.endings.values())


class Worker:
    """One worker on one queue. `run` blocks until it leaves; `drain` and `stop` may be called from any thread."""

    def __init__(
        self,
        store: JobStore,
        executors: Sequence[Executor],
        *,
        worker_id: str,
        kinds: Sequence[str] | None = None,
        limits: Limits = Limits(),
        machine: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
        free: Callable[[], Free] = Free,
        overlap: bool = False,
        preload: Sequence[str] = (),
        scratch: Path | None = None,
        presence_every_s: float | None = PRESENCE_EVERY_S,
        sweep_every_s: float | None = SWEEP_EVERY_S,
        on_event: Callable[[str, str], None] | None = None,
    ) -> None:
        """Serves every kind that `executors` have, or those of them that `kinds` names.

        `on_event(event, job_id)` hears claimed, and each ending by its name. `machine` goes into the presence record
        and the results, `warnings` into the presence record. `secrets` are values for jobs that name them; a job that
        names others is left alone. `free` says how much memory is free, so that idle models make room. With `overlap`
        a job's files go up, and the next one's inputs come down, while another computes. The models of the kinds in
        `preload` are loaded first. Raises Configuration on a queue of signed jobs where `store.identity` trusts no key.
        """
        require_trust(store)
        self.id = worker_id
        self.store = store
        self.limits = limits
        self.summary = Summary()
        self.machine = dict(machine or {})
        self._warnings = tuple(warnings)
        self._roster = Roster(executors, kinds=kinds, free=free)
        self._secrets = dict(secrets or {})
        self._scratch = scratch
        self._overlap = overlap
        self._ahead = Ahead(store.context, self._serves, scratch=scratch) if overlap else None
        self._last: Task | None = None  # the job before, while its files are on their way
        self._begun = 0
        self._telling = store.runtime.lock()
        self._preload = tuple(preload)
        self._runtime = store.runtime
        self._ends_at_s = self._runtime.elapsed() + (
            math.inf if limits.max_lifetime_s is None else limits.max_lifetime_s
        )
        self._wake = self._runtime.event()
        self._gone = self._runtime.event()
        self._draining = False
        self._stopping = False
        self._on_event = on_event or (lambda event, job_id: None)
        self._finder = self._make_finder()
        self._doorkeeper = Doorkeeper(store.identity, self._finder.claimer.ctx.store_now)
        self._sweeper = store.sweeper(worker_id)
        self._sweep_every_s = sweep_every_s
        self._sweep_at_s = self._runtime.elapsed() + (sweep_every_s or 0.0) * store.rng.random()
        self._presence_every_s = presence_every_s
        self._keeper = PresenceKeeper(store.context, self._first_presence())

    def _make_finder(self) -> Poller | Chosen:
        if self.limits.jobs:
            return self.store.chosen(self.id, self.limits.jobs, serves=self._serves)
        return self.store.poller(
            self.id,
            serves_kind=self._roster.kinds.__contains__,
            serves=self._serves,
            prefers=self._roster.is_warm,
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds it serves."""
        return self._roster.kinds

    def drain(self) -> None:
        """Finishes the job in hand, claims nothing more, and leaves."""
        self._draining = True
        self._wake.set()

    def stop(self) -> None:
        """Gives the job in hand back as soon as it can be interrupted, and leaves."""
        self._stopping = True
        self.drain()

    def run(self) -> Summary:
        """Serves until told to leave or until its limits say so."""
        presence = self._start_presence()
        try:
            self._load_first()
            self._serve()
        finally:
            if self._ahead is not None:
                self._ahead.close()
            self._finish_last()
            self._gone.set()
            self._roster.close()
            if presence is not None:
                presence.join(5.0)
                self._leave()
        return self.summary

    # -- serving

    def _load_first(self) -> None:
        """Loads the models that jobs will ask for; one that cannot be loaded is its jobs' trouble."""
        for kind in self._preload:
            if self._draining:
                return
            self._keeper_state("loading", None)
            try:
                self._roster.load(kind, {}, self._stop_loading)
            except GpujobError as error:
                log.warning("not preloaded: %s: %s", kind, error)
        self._keeper_state("idle", None)

    def _stop_loading(self, done: float, total: float, message: str) -> None:
        if self._draining:
            raise JobReleased("this worker is leaving")

    def _serve(self) -> None:
        idle_since_s = self._runtime.elapsed()
        trouble_s = 1.0
        while not self._draining:
            try:
                held = self._finder.next()
                if held is None:
                    self._sweep_if_due()
            except (BucketError, LocalDisk) as error:  # the disk of a folder store may be full
                log.warning("the store does not answer as it should: %s; trying again in %.0f s", error, trouble_s)
                self._wake.wait(trouble_s * (0.5 + self.store.rng.random() / 2))
                trouble_s = min(LONGEST_TROUBLE_S, trouble_s * 2)
                continue
            trouble_s = 1.0
            if held is not None:
                self._attempt(held)
                idle_since_s = self._runtime.elapsed()
                self._finder.again()
            elif self._leaves_idle(idle_since_s):
                return
            if self._had_enough():
                return
            if held is None:
                self._wake.wait(self._pause_s(idle_since_s))

    def _leaves_idle(self, idle_since_s: float) -> bool:
        if self.limits.once or self._finder.finished:
            return True
        idle_exit_s = self.limits.idle_exit_s
        return idle_exit_s is not None and self._runtime.elapsed() - idle_since_s >= idle_exit_s

    def _had_enough(self) -> bool:
        if self._runtime.elapsed() >= self._ends_at_s:
            log.info("leaving: this worker's life is over")
            return True
        most = 1 if self.limits.once else self.limits.max_jobs
        return most is not None and self._begun >= most

    def _pause_s(self, idle_since_s: float) -> float:
        pause_s = min(self._finder.wait_s(), max(0.0, self._ends_at_s - self._runtime.elapsed()))
        if self.limits.idle_exit_s is not None:
            left_s = idle_since_s + self.limits.idle_exit_s - self._runtime.elapsed()
            pause_s = min(pause_s, max(0.0, left_s))
        return pause_s

    def _sweep_if_due(self) -> None:
        if self._sweep_every_s is not None and self._runtime.elapsed() >= self._sweep_at_s:
            self._sweep_at_s = self._runtime.elapsed() + self._sweep_every_s
            self._sweeper.sweep(SWEEP_REQUESTS)

    def _attempt(self, held: HeldLease) -> None:
        self._begun += 1
        self._keeper_state("busy", held.id)
        self._on_event("claimed", held.id)
        crew = Crew(
            load=lambda wanted, report: self._roster.load(held.manifest.kind, wanted, report),
            identity={"id": self.id, **self.machine},
            leaving=lambda: self._stopping,
            secrets=lambda names: {name: self._secrets[name] for name in names},
            bring=lambda folder, check: self._bring(held.manifest, folder, check),
            overlap=self._overlap,
            scratch=self._scratch,
        )
        attempt = Attempt(held, crew)
        attempt.work()
        if attempt.uploading and not self._draining:
            self._finish_beside(attempt)
        else:
            self._finish(attempt)

    def _bring(self, manifest: Manifest, folder: Path, check: Check) -> None:
        """Hands over what was fetched ahead for this job, and begins with the next one's."""
        if self._ahead is not None:
            self._ahead.take(manifest.id, folder, check)
            self._ahead.saw(manifest)
            if not self._draining:
                self._ahead.begin(self._finder.peek())

    def _finish(self, attempt: Attempt) -> None:
        held = attempt.held
        ending = attempt.finish()
        with self._telling:  # the job before may end at the same moment
            self.summary.endings[ending] += 1
            if self._state.get("job") == held.id:
                self._keeper_state("idle", None)
            self._on_event(ending, held.id)

    def _finish_beside(self, attempt: Attempt) -> None:
        """Ends the attempt in a thread of its own, and returns when the job before has ended.

        So two are held at once at most, one that computes and one that uploads, and neither's end waits for the other's.
        """
        before = self._last
        self._last = self._runtime.spawn(f"finish {attempt.held.id}", lambda: self._finish(attempt))
        if before is not None:
            before.join()

    def _finish_last(self) -> None:
        """Returns when no job's files are on their way any longer."""
        if self._last is not None:
            self._last.join()
            self._last = None

    def _serves(self, manifest: Manifest) -> bool:
        return (
            manifest.kind in self.kinds
            and meets(manifest.requires, self.machine)
            and self._runtime.elapsed() + manifest.timeout_s <= self._ends_at_s
            and set(manifest.secrets) <= set(self._secrets)
            and self._doorkeeper.admits(manifest)
        )

    # -- presence

    def _first_presence(self) -> Presence:
        return Presence(
            id=self.id,
            session=self.store.context.nonce(),
            started_at=self._runtime.now(),
            kinds=() if self.limits.jobs else self.kinds,  # to others it is no help
            machine=self.machine,
            secrets=tuple(sorted(self._secrets)),
            trusts=tuple(key.id for key in self.store.identity.submitters),
            warnings=self._warnings,
            every_s=self._presence_every_s or PRESENCE_EVERY_S,
        )

    def _keeper_state(self, state: str, job: str | None) -> None:
        self._state = {"state": state, "job": job, "jobs_done": self.summary.jobs}

    def _start_presence(self) -> Task | None:
        if self._presence_every_s is None:
            return None
        self._keeper_state("idle", None)
        self._say_alive()
        return self._runtime.spawn(f"presence {self.id}", self._keep_presence)

    def _keep_presence(self) -> None:
        while not self._gone.wait(self._presence_every_s):
            self._say_alive()

    def _say_alive(self) -> None:
        warm, models = self._roster.warm()
        changes: dict[str, Any] = {**self._state, "warm": warm, "models": models}
        if self._draining:
            changes["state"] = "draining"
        try:
            word = self._keeper.update(**changes)
        except GpujobError as error:
            log.warning("could not say that this worker lives: %s", error)
            return
        if word == "stop":
            self.stop()
        elif word == "drain":
            self.drain()

    def _leave(self) -> None:
        try:
            self._keeper.leave()
        except GpujobError as error:
            log.warning("could not remove this worker's presence record: %s", error)
