"""A session on a queue in memory, with time that passes only when somebody sleeps."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from gpujob import JobStore, MemoryBucket
from gpujob.buckets.counting import CountingBucket
from gpujob.chance import Random
from gpujob.clock import SystemRuntime
from gpujob.records import Presence
from gpujob.settings import Loaded, Settings, Terminal
from gpujob_cli.output import Output
from gpujob_cli.session import Session
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker


class Clock(SystemRuntime):
    """Time that `sleep` moves; `on_sleep` is what happens meanwhile."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0
        self.on_sleep: Callable[[float], None] = lambda seconds: None

    def now(self) -> float:
        return self.at

    def elapsed(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.on_sleep(seconds)


class MemorySession(Session):
    """A session whose store is in memory."""

    def __init__(self, *, json: bool = False) -> None:
        super().__init__()
        self.clock = Clock()
        self.stdout, self.stderr = io.StringIO(), io.StringIO()
        self.out = Output(json=json, stdout=self.stdout, stderr=self.stderr, wishes=Terminal(color=None, dumb=False))
        self.bucket = CountingBucket(MemoryBucket(now=self.clock.now))
        self.__dict__["store"] = JobStore(self.bucket, runtime=self.clock, rng=Random(7))
        self.__dict__["loaded"] = Loaded(Settings(store="memory://test"))

    def echo(self, message: Any = "hello", **given: Any) -> str:
        """A submitted job's id."""
        self.clock.at += 1  # so that ids are in order
        return self.store.submit({"kind": "echo", "input": {"message": message, **given}}).id

    def said(self) -> str:
        """The talk so far."""
        return self.stderr.getvalue()

    def work(self, jobs: int = 1) -> None:
        """A worker does some of the jobs that wait."""
        limits = Limits(max_jobs=jobs)
        Worker(
            self.store, [EchoExecutor()], worker_id="w-1", limits=limits, presence_every_s=None, sweep_every_s=None
        ).run()

    def live(self, *kinds: str, **more: Any) -> None:
        """A worker that says it lives."""
        presence = Presence(id="w-1", session="s", started_at=self.clock.now(), kinds=kinds, **more)
        self.bucket.create("workers/w-1.json", presence.body())
