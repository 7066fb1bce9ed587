"""The chaos run: real worker processes on a real store, killed and frozen for as long as work remains.

Between two blows at least one job ends, so that a machine too slow for the blows still gets to the end.

`run` submits jobs, keeps a number of workers alive, kills one with -9 and freezes another past its lease again and
again, and then reads every result back. It raises AssertionError with the job's id where the queue lost, doubled or
mixed up anything.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gpujob import keys
from gpujob.buckets.opening import open_bucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.decisions import MAX_LOSSES
from gpujob.errors import GpujobError
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.queue import save
from gpujob.records import QueueConfig, Result
from gpujob.store import JobStore
from gpujob_worker.executors.echo import artifact_bytes

EVENT = re.compile(r"^\S+ (succeeded|failed|retry|released|dropped|expired|claimed) ([0-9a-z]{26})$", re.MULTILINE)


@dataclass(frozen=True)
class Plan:
    """What to do to the queue."""

    jobs: int = 200
    workers: int = 4
    ttl_s: float = 3.0
    beat_s: float = 1.0
    job_s: float = 0.4
    kill_every_s: tuple[float, float] = (1.0, 2.0)
    first_blow_s: float = 4.0
    most_blows: int = 1_000_000
    freeze_every: int = 3  # every n-th blow freezes a worker instead of killing it
    freeze_s: float = 4.5
    deadline_s: float = 400.0
    look_every_s: float = 0.2  # at all results
    seed: int = 1
    command: tuple[str, ...] = ("-m", "gpujob_worker")  # what Python runs as a worker


@dataclass
class Report:
    """What happened."""

    kills: int = 0
    freezes: int = 0
    seconds: float = 0.0
    attempts: Counter[int] = field(default_factory=Counter)
    losses: int = 0
    worn_out: int = 0  # jobs that ended because their workers had vanished as often as the protocol bears
    events: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        attempts = ", ".join(f"{count} in {n}" for n, count in sorted(self.attempts.items()))
        return (
            f"{sum(self.attempts.values())} jobs in {self.seconds:.0f} s, {self.kills} kills, {self.freezes} freezes, "
            f"{self.losses} losses, {self.worn_out} worn out; jobs by attempts: {attempts}; events: {dict(self.events)}"
        )


class Fleet:
    """Worker processes on one store, kept at a number."""

    def __init__(self, url: str, plan: Plan, folder: Path, env: dict[str, str]) -> None:
        self.url, self.plan, self.folder = url, plan, folder
        self.env = {**os.environ, **env, "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        self.live: list[subprocess.Popen[bytes]] = []
        self.frozen: list[tuple[float, subprocess.Popen[bytes]]] = []
        self.logs: list[Path] = []
        self.log_of: dict[int, Path] = {}

    def fill(self) -> None:
        self.live = [process for process in self.live if process.poll() is None]
        while len(self.live) < self.plan.workers:
            self.logs.append(self.folder / f"worker-{len(self.logs)}.log")
            with self.logs[-1].open("wb") as log:
                flags = ["--store", self.url, "--kinds", "echo", "--id", "chaos"]
                command = [sys.executable, *self.plan.command, *flags]
                process = subprocess.Popen(command, stdout=log, stderr=log, env=self.env, cwd=self.folder)
            self.live.append(process)
            self.log_of[process.pid] = self.logs[-1]

    def victim(self, rng: random.Random) -> subprocess.Popen[bytes] | None:
        """A worker that has claimed a job: on a slow machine, killing them while they start would prove nothing."""
        serving = [process for process in self.live if b" claimed " in self.log_of[process.pid].read_bytes()]
        chosen = rng.choice(serving) if serving else None
        if chosen is not None:
            self.live.remove(chosen)
        return chosen

    def kill_one(self, victim: subprocess.Popen[bytes]) -> None:
        victim.kill()
        victim.wait()

    def freeze_one(self, victim: subprocess.Popen[bytes], now: float) -> None:
        victim.send_signal(signal.SIGSTOP)
        self.frozen.append((now + self.plan.freeze_s, victim))

    def thaw(self, now: float) -> None:
        for item in [item for item in self.frozen if item[0] <= now]:
            self.frozen.remove(item)
            item[1].send_signal(signal.SIGCONT)
            self.live.append(item[1])

    def end(self) -> None:
        self.thaw(float("inf"))
        for process in self.live:
            process.send_signal(signal.SIGTERM)
        for process in self.live:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def events(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for log in self.logs:
            found += EVENT.findall(log.read_text(errors="replace"))
        return found


class Witness:
    """Looks at done/ again and again: a result that stands never changes."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.seen: dict[str, str] = {}

    def look(self) -> int:
        for entry in every_entry(self.ctx, keys.DONE):
            first = self.seen.setdefault(entry.key, entry.version)
            assert first == entry.version, f"{entry.key} was rewritten"
        return len(self.seen)


def make_queue(url: str, plan: Plan) -> JobStore:
    """A queue with the plan's ttl and beat."""
    bucket = RetryingBucket(open_bucket(url), SYSTEM, system_random())
    config = QueueConfig(created_at=time.time(), ttl_s=plan.ttl_s, beat_s=plan.beat_s)
    return JobStore(bucket, config=save(Context(bucket, SYSTEM, system_random()), config))


class Crowd(Protocol):
    """Who submits the jobs, and whoever else there is beside the workers."""

    def begin(self, specs: Sequence[Mapping[str, object]]) -> None: ...
    def end(self) -> list[str]:
        """The jobs' ids in the order of the specs, when everybody is done."""
        ...


class OneSubmitter:
    """Submits everything before the run goes on."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._ids: list[str] = []

    def begin(self, specs: Sequence[Mapping[str, object]]) -> None:
        self._ids = [self._store.submit(spec).id for spec in specs]

    def end(self) -> list[str]:
        return self._ids


def run(
    url: str,
    plan: Plan,
    env: dict[str, str] | None = None,
    *,
    crowd: Crowd | None = None,
    meanwhile: Callable[[int], None] = lambda ended: None,
) -> Report:
    """The whole run; the store must be empty. `env` goes to the workers (credentials).

    `meanwhile(jobs that have ended)` is called again and again while it lasts.
    """
    rng = random.Random(plan.seed)
    store = make_queue(url, plan)
    crowd = crowd or OneSubmitter(store)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="gpujob-chaos-") as folder:
        fleet = Fleet(url, plan, Path(folder), env or {})
        started = time.monotonic()
        crowd.begin([_spec(number, plan, rng) for number in range(plan.jobs)])
        try:
            _torment(store, plan, fleet, report, rng, started, meanwhile)
        except BaseException as error:
            error.add_note(_scene(store, fleet))
            raise
        finally:
            fleet.end()
        ids = crowd.end()
        report.seconds = time.monotonic() - started
        _verify(store, ids, fleet.events(), report, Path(folder) / "out")
    return report


def _scene(store: JobStore, fleet: Fleet) -> str:
    """What stands in the store, and the last lines of those that live."""
    try:
        keys_left = [
            entry.key for prefix in (keys.PENDING, keys.LEASED) for entry in every_entry(store.context, prefix)
        ]
    except GpujobError as error:
        keys_left = [str(error)]
    logs = [fleet.log_of[process.pid].read_text(errors="replace")[-1500:] for process in fleet.live]
    return "\n\n".join([f"in the store: {keys_left[:20]}", *logs])


def _spec(number: int, plan: Plan, rng: random.Random) -> dict[str, object]:
    artifact = {"name": f"data/{number}.bin", "bytes": rng.randrange(1, 20_000)}
    spec: dict[str, object] = {
        "kind": "echo",
        "input": {"message": number, "sleep": plan.job_s * (0.5 + rng.random()), "artifacts": [artifact]},
        "retry": {"max_attempts": 3, "backoff": {"initial": 0.2, "max": 1}},
    }
    if number % 10 == 0:
        spec["input"] |= {"fail": "as told", "fail_attempts": 1}  # type: ignore[operator]
    return spec


def _torment(
    store: JobStore,
    plan: Plan,
    fleet: Fleet,
    report: Report,
    rng: random.Random,
    started: float,
    meanwhile: Callable[[int], None],
) -> None:
    witness = Witness(store.context)
    next_blow = time.monotonic() + plan.first_blow_s
    blows = 0
    ended = ended_before = 0
    while (ended := witness.look()) < plan.jobs:
        now = time.monotonic()
        assert now - started < plan.deadline_s, f"{len(witness.seen)} of {plan.jobs} jobs after {plan.deadline_s} s"
        fleet.thaw(now)
        fleet.fill()
        meanwhile(ended)
        due = now >= next_blow and blows < plan.most_blows and (ended > ended_before or not blows)
        victim = fleet.victim(rng) if due else None
        if victim is not None:
            blows, ended_before = blows + 1, ended
            if blows % plan.freeze_every == 0:
                fleet.freeze_one(victim, now)
                report.freezes += 1
            else:
                fleet.kill_one(victim)
                report.kills += 1
            next_blow = now + rng.uniform(*plan.kill_every_s)
        SYSTEM.sleep(plan.look_every_s)
    witness.look()


def _verify(store: JobStore, ids: list[str], events: list[tuple[str, str]], report: Report, out: Path) -> None:
    report.events = Counter(event for event, _ in events)
    committed = Counter(job_id for event, job_id in events if event in ("succeeded", "failed", "expired"))
    assert max(committed.values(), default=0) <= 1, f"committed twice: {committed.most_common(3)}"
    for number, job_id in enumerate(ids):
        result = store.result(job_id)
        assert result is not None, f"{job_id} was lost"
        report.attempts[result.attempt] += 1
        report.losses += result.losses
        if result.error is not None and result.error.type == "worker_lost" and result.losses >= MAX_LOSSES:
            report.worn_out += 1
            continue
        assert result.state == "succeeded", f"{job_id}: {result.state} {result.error}"
        assert result.output["message"] == number
        _verify_files(store, result, number, out / job_id)
    assert report.worn_out <= max(1, len(ids) // 50), report


def _verify_files(store: JobStore, result: Result, number: int, out: Path) -> None:
    own = keys.attempt_prefix(result.id, result.epoch, result.nonce)
    assert all(artifact.key.startswith(own) for artifact in result.artifacts), (
        f"{result.id} names another attempt's file"
    )
    (path,) = store.download(result, out)
    body = path.read_bytes()
    assert body == artifact_bytes(f"data/{number}.bin", len(body))
