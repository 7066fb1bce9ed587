"""The parties of a schedule: each runs the real code over its own view of the store.

Invariant: nothing here knows the protocol; it only calls `gpujob` and `gpujob_worker` as a program would.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from gpujob.errors import BucketError, Conflict, GpujobError, JobFailed, JobStopped, NotFound, Unavailable
from gpujob.ids import new_id
from gpujob.protocol import cancel as cancelling
from gpujob.protocol import gc, removal, waiting
from gpujob.protocol.submit import submit
from gpujob.records import Manifest, QueueConfig, RetryPolicy, content_sha256
from gpujob.store import JobStore
from gpujob_worker.executor import Executor, JobContext, Outcome
from gpujob_worker.worker import SWEEP_EVERY_S, Limits, Worker
from tests.simulation.ledger import Ledger
from tests.simulation.world import START_S, Party, World

CONFIG = QueueConfig(ttl_s=30.0, beat_s=10.0)
SHORT_RETENTION = QueueConfig(ttl_s=30.0, beat_s=10.0, retention_s=600.0)


@functools.cache
def small_file() -> Path:
    """The one artifact of all attempts of this process: another process that wrote the same file would alter it."""
    folder = tempfile.mkdtemp(prefix="gpujob-simulation-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "artifact.txt"
    path.write_text("an artifact")
    return path


@dataclass(frozen=True)
class Script:
    """What an executor does: `steps` of u (upload), p (progress), s (a short sleep), l (a long one); then its end."""

    steps: str = "pu"
    end: str = "ok"  # ok, fail, hopeless
    stubborn: bool = False  # never looks whether it should stop


class SimExecutor(Executor):
    """Follows scripts: one for each attempt, from `script_for`."""

    kinds: ClassVar[tuple[str, ...]] = ("echo",)

    def __init__(self, world: World, ledger: Ledger, script_for: Callable[[str, int], Script]) -> None:
        self._world = world
        self._ledger = ledger
        self._script_for = script_for

    def run(self, job: JobContext) -> Outcome:
        nonce = job._held.record.nonce  # type: ignore[attr-defined]
        self._ledger.started(job.id, job.attempt, nonce)
        self._world.runs(nonce)
        script = self._script_for(job.id, job.attempt)
        for number, step in enumerate(script.steps):
            try:
                self._step(job, step, number, script.steps[:number].count("u"))
            except JobStopped:
                if not script.stubborn:
                    raise
        if script.end != "ok":
            raise JobFailed("as told", retryable=script.end == "fail")
        return Outcome({"attempt": job.attempt})

    def _step(self, job: JobContext, step: str, number: int, files: int) -> None:
        if step == "u":
            job.artifact(f"{files}.txt", small_file(), media_type="text/plain")
        elif step == "p":
            job.progress(number, 3)
        elif step == "s":
            job.sleep(1.0)
        else:
            job._runtime.sleep(12.0)  # type: ignore[attr-defined]


def job_manifest(rng: Random, *, ttl_s: float = 86400.0, key: str | None = None) -> Manifest:
    """A job that the executor above runs."""
    spec = {"input": {}, "cache": "off"}
    return Manifest(
        id=new_id(START_S, rng),
        idempotency_key=key,
        kind="echo",
        spec=spec,
        spec_sha256=content_sha256(spec, ()),
        created_at=START_S,
        ttl_s=ttl_s,
        retry=RetryPolicy(max_attempts=3, initial_s=2.0, max_s=10.0),
        nonce=f"{rng.getrandbits(128):032x}",
    )


@dataclass
class Cast:
    """What the parties share: the world, the ledger, and how to get at a store."""

    world: World
    ledger: Ledger
    connect: Callable[[Party], JobStore]
    executor: SimExecutor
    worker_class: type[Worker] = Worker
    ended: list[str] = field(default_factory=list)

    def party(self, name: str, skew_s: float = 0.0) -> Party:
        party = Party(name, skew_s)
        self.world.parties.append(party)
        return party

    # -- one method for each kind of party

    def submitter(self, name: str, manifest: Manifest, after_s: float = 0.0) -> Party:
        return self._acting(name, after_s, lambda store: self._submit(store, manifest))

    def _submit(self, store: JobStore, manifest: Manifest) -> None:
        ctx = store.context
        try:
            submitted = submit(ctx, manifest, ctx.patience(60.0))
        except Unavailable:
            return
        self.ledger.acknowledged(submitted.manifest.id, manifest.idempotency_key)

    def canceller(self, name: str, job_id: str, after_s: float) -> Party:
        def act(store: JobStore) -> None:
            ctx = store.context
            cancelling.cancel(ctx, job_id, ctx.patience(60.0))

        return self._acting(name, after_s, act)

    def waiter(self, name: str, job_id: str, after_s: float) -> Party:
        def act(store: JobStore) -> None:
            result = waiting.wait(store.context, job_id, timeout_s=200.0, on_look=lambda seen: None, patience_s=60.0)
            self.ended.append(result.id)

        return self._acting(name, after_s, act)

    def collector(self, name: str, job_ids: list[str]) -> Party:
        """gc and rm, again and again."""

        def act(store: JobStore) -> None:
            while True:
                store.runtime.sleep(120.0)
                try:
                    gc.Collector(store.context, older_than_s=600.0).collect()
                    for job_id in job_ids:
                        removal.remove_job(store.context, job_id)
                except BucketError:
                    continue

        return self._acting(name, 0.0, act)

    def worker(self, name: str, *, presence: bool = False, sweeping: bool | None = False, skew_s: float = 0.0) -> Party:
        """A real worker. `sweeping` is often, never (False), or as often as by default (None)."""
        party = self.party(name, skew_s)
        store = self.connect(party)

        def live() -> None:
            party.worker = self.worker_class(
                store,
                [self.executor],
                worker_id=name,
                limits=Limits(),
                presence_every_s=60.0 if presence else None,
                sweep_every_s=SWEEP_EVERY_S if sweeping is None else 40.0 if sweeping else None,
            )
            party.worker.run()

        self.world.spawn(party, "main", live)
        return party

    def _acting(self, name: str, after_s: float, act: Callable[[JobStore], Any]) -> Party:
        party = self.party(name)
        store = self.connect(party)

        def live() -> None:
            if after_s:
                store.runtime.sleep(after_s)
            try:
                act(store)
            except (NotFound, Conflict, BucketError, TimeoutError):
                return
            except GpujobError as error:
                raise AssertionError(f"{name} met {type(error).__name__}: {error}") from error

        self.world.spawn(party, "main", live)
        return party
