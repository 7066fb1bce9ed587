"""`ChildExecutor`: an executor whose work happens in a child process; to the worker it looks like any other.

Invariant: while the child works, the job is asked twice a second whether it must stop; a child that does not obey
within the grace is killed, and the next job gets a fresh one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gpujob.clock import SYSTEM
from gpujob.errors import GpujobError, JobFailed
from gpujob.redaction import Redactor
from gpujob_worker.executor import Device, Engine, Executor, JobContext, Outcome, Readiness, Report

from .child import Child

log = logging.getLogger("gpujob.worker")

TICK_S = 0.5
GRACE_S = 3.0
DEVICE_S = 120.0
LAST_LINES = 8
ANSWERS = ("loaded", "device", "done", "failed", "stopped")

Handle = Callable[[dict[str, Any]], object]


class ChildExecutor(Executor):
    """Hosts the executor `target` (package.module:Class) in a child. `inner` is one in this process, for the cheap questions."""

    def __init__(self, target: str, inner: Executor, *, environment: Mapping[str, str] = {}) -> None:
        self.kinds = inner.kinds  # type: ignore[misc]
        self.needs = inner.needs  # type: ignore[misc]
        self._target = target
        self._inner = inner
        self._environment = environment  # beside this process's own, without its credentials
        self._child: Child | None = None
        self._said: list[str] = []  # what the child wrote last, for the message when it dies
        self._unlogged: list[str] = []  # what it wrote while no job was there to log it
        self._secrets: dict[str, str] = {}  # all that any job was handed: a child may write them in another's time

    def readiness(self) -> Readiness:
        """As Executor.readiness."""
        return self._inner.readiness()

    def catalogue_models(self) -> tuple[str, ...]:
        """As Executor.catalogue_models."""
        return self._inner.catalogue_models()

    def device(self) -> Device:
        """As Executor.device, found in the child; a child that dies of the question runs on nothing."""
        until_s = SYSTEM.elapsed() + DEVICE_S

        def in_time(*_: object) -> None:
            if SYSTEM.elapsed() > until_s:
                raise JobFailed(f"found no answer in {DEVICE_S:.0f} s where it runs")

        try:
            answer = self._order({"op": "device"}, tick=in_time, handle={})
        except JobFailed as error:
            return Device("cpu", error.message)
        return Device(str(answer["name"]), str(answer["warning"]))

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        """As Executor.load."""
        last = (0.0, 0.0, "loading")

        def loading(message: dict[str, Any]) -> None:
            nonlocal last
            last = (message["done"], message["total"], message["message"])
            report(*last)

        answer = self._order(
            {"op": "load", "wanted": dict(wanted)}, tick=lambda: report(*last), handle={"loading": loading}
        )
        return tuple(answer["models"])

    def run(self, job: JobContext) -> Outcome:
        """As Executor.run."""
        self._secrets.update(job.secrets)
        handle: dict[str, Handle] = {
            "progress": lambda m: job.progress(m["done"], m["total"], m["message"], partial=m["partial"]),
            "log": lambda m: job.log(m["text"]),
            "warn": lambda m: job.warn(m["text"]),
            "artifact": lambda m: job.artifact(m["name"], _inside(job, m["path"]), media_type=m["media_type"]),
            "cache_get": lambda m: job.cache.get(m["key"], _inside(job, m["target"])),
            "cache_put": lambda m: job.cache.put(m["key"], _inside(job, m["payload"]), m["facts"]),
        }

        def tick() -> None:
            for line in self._taken():
                job.log(line)
            job.check()

        try:
            answer = self._order({"op": "run", "job": _facts(job)}, tick=tick, handle=handle)
        finally:
            for line in self._taken():
                job.log(line)
        engine = Engine(**answer["engine"]) if answer["engine"] else None
        return Outcome(answer["output"], engine, list(answer["warnings"]))

    def is_warm(self) -> bool:
        """As Executor.is_warm: while the child lives."""
        child = self._child
        return child is not None and child.lives()

    def close(self) -> None:
        """Ends the child; its models leave the memory."""
        child, self._child = self._child, None
        if child is not None:
            child.close()

    # -- one order and its answer

    def _order(
        self, order: dict[str, Any], *, tick: Callable[[], None], handle: Mapping[str, Handle]
    ) -> dict[str, Any]:
        """Sends an order, serves what the child asks on the way, and returns the answer. Raises what ends the work."""
        self.ran_out = False
        if not self.is_warm():
            self.close()  # a child that died while it had nothing to do costs no attempt
        child = self._child or self._start(tick)
        child.order(order)
        try:
            answer = self._served(child, tick, handle)
        except EOFError:
            raise self._died(child) from None
        except BaseException:
            self._halt(child)
            raise
        if answer["op"] == "stopped":
            raise JobFailed("the executor stopped, and nobody had told it to")
        if answer["op"] == "failed":
            kind = {name: answer[name] for name in ("type", "hint", "retryable")}
            if answer["type"] == "out_of_memory":
                self.ran_out = True
                self.close()  # what it holds is what the next attempt lacks
            raise JobFailed(answer["message"], traceback=answer.get("traceback", ""), **kind)
        return answer

    def _served(self, child: Child, tick: Callable[[], None], handle: Mapping[str, Handle]) -> dict[str, Any]:
        while True:
            message = child.next(TICK_S)
            if message is not None and message["op"] in ANSWERS:
                self._hear(child.last_lines())
                return message  # before the tick: a child that has answered has nothing left to be stopped at
            self._hear(child.lines())
            tick()
            if message is None:
                continue
            value = handle[message["op"]](message)
            if message["op"] in ("artifact", "cache_get", "cache_put"):
                child.send({"op": "reply", "value": value})

    def _start(self, tick: Callable[[], None]) -> Child:
        """A child that listens: before it does, a long order would fill the pipe and nobody would look at the job."""
        child = Child(self._target, environment=self._environment)
        try:
            while (message := child.next(TICK_S)) is None or message["op"] != "ready":
                self._hear(child.lines())
                tick()
        except EOFError:
            raise self._died(child) from None
        except BaseException:
            child.kill()
            raise
        self._child = child
        return child

    def _halt(self, child: Child) -> None:
        """Makes the child stop what it does: by word, and where that takes too long by force."""
        child.send({"op": "stop"})
        child.send({"op": "reply", "error": "the worker stops this job"})
        until_s = SYSTEM.elapsed() + GRACE_S
        try:
            while (left_s := until_s - SYSTEM.elapsed()) > 0:
                message = child.next(left_s)
                if message is not None and message["op"] in ANSWERS:
                    self._hear(child.last_lines())
                    return
            log.warning("the process %d of %s did not stop in time and is killed", child.pid, self._target)
        except EOFError:
            pass
        self._child = None
        child.kill()
        self._hear(child.last_lines())

    def _died(self, child: Child) -> GpujobError:
        self._child = None
        how, for_memory = child.death(), child.killed_for_memory()
        child.kill()
        self._hear(child.last_lines())
        last = "\n".join(self._said[-LAST_LINES:])
        self.ran_out = for_memory
        if for_memory:
            return JobFailed(
                "the machine ran out of memory: the kernel killed the process that ran the job",
                type="out_of_memory",
                hint="Ask for a worker with more memory, or make the job smaller.",
                traceback=last,
            )
        return JobFailed(f"the process that ran the job died: {how}", traceback=last)

    def _hear(self, lines: list[str]) -> None:
        if not lines:
            return
        redact = Redactor(self._secrets)
        lines = [redact.text(line) for line in lines]
        self._unlogged = (self._unlogged + lines)[-1000:]
        self._said = (self._said + lines)[-LAST_LINES:]

    def _taken(self) -> list[str]:
        lines, self._unlogged = self._unlogged, []
        return lines


def _facts(job: JobContext) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "input": dict(job.input),
        "attempt": job.attempt,
        "files": {name: str(path) for name, path in job.files.items()},
        "workdir": str(job.workdir),
        "secrets": dict(job.secrets),
    }


def _inside(job: JobContext, path: str) -> Path:
    """A path of the child's, which must lie in the attempt's own folder or be one of the job's files."""
    found = Path(path).resolve()
    if not found.is_relative_to(job.workdir.resolve()) and found not in {p.resolve() for p in job.files.values()}:
        raise JobFailed(f"the executor named a file outside its folder: {path}", retryable=False)
    return found
