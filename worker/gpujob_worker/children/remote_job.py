"""The child's end of the line, and a job context whose every call is a message to the worker."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from gpujob.clock import Runtime
from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker.executor import StepCache

from . import messages


class Line:
    """Sends messages; a thread of its own reads: stop raises a flag at once, orders and replies wait their turn."""

    def __init__(self, orders: BinaryIO, answers: BinaryIO, runtime: Runtime, *, hang_up: Callable[[], None]) -> None:
        self.runtime = runtime
        self._answers = answers
        self._orders = orders
        self._hang_up = hang_up
        self._stop = runtime.event()
        self._lock = runtime.lock()
        self._asking = runtime.lock()
        self._incoming: queue.Queue[dict[str, Any] | None] = queue.Queue()
        runtime.spawn("orders", self._listen)

    def send(self, message: Mapping[str, Any]) -> None:
        """Says something to the worker. Safe from any thread; where the worker is gone, this is the end."""
        try:
            with self._lock:
                messages.write(self._answers, message)
        except OSError:
            self._hang_up()
            raise

    def order(self) -> dict[str, Any] | None:
        """The next order; None when the worker has hung up. A reply that nobody waited for is passed over."""
        while (order := self._incoming.get()) is not None and order["op"] == "reply":
            continue
        return order

    def ask(self, message: Mapping[str, Any]) -> Any:
        """Sends a question and waits for the reply. Raises JobFailed(storage) where the worker could not."""
        with self._asking:
            self.send(message)
            reply = self._incoming.get()
        if reply is None or reply.get("error"):
            raise JobFailed(str(reply["error"]) if reply else "the worker is gone", type="storage")
        return reply["value"]

    def loading(self, done: float, total: float, message: str) -> None:
        """The `report` of an executor's `load`."""
        self.check()
        self.send({"op": "loading", "done": done, "total": total, "message": message})

    def check(self) -> None:
        """Raises JobCancelled when the worker said stop; why, it knows itself."""
        if self._stop.is_set():
            raise JobCancelled("the worker stops this job")

    def sleep(self, seconds: float) -> None:
        """Waits; raises as `check` as soon as the worker says stop."""
        self._stop.wait(seconds)
        self.check()

    def _listen(self) -> None:
        while (message := messages.read(self._orders)) is not None:
            if message["op"] == "stop":
                self._stop.set()
                continue
            if message["op"] != "reply":
                self._stop = self.runtime.event()  # here, not where the order is taken: its stop may come before that
            self._incoming.put(message)
        self._incoming.put(None)
        self._hang_up()


class RemoteCache:
    """The bucket's step cache, through the worker."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def get(self, key: Mapping[str, Any], target: Path) -> Mapping[str, Any] | None:
        """As StepCache.get."""
        facts: Mapping[str, Any] | None = self._line.ask({"op": "cache_get", "key": dict(key), "target": str(target)})
        return facts

    def put(self, key: Mapping[str, Any], payload: Path, facts: Mapping[str, Any]) -> None:
        """As StepCache.put."""
        self._line.ask({"op": "cache_put", "key": dict(key), "payload": str(payload), "facts": dict(facts)})


class RemoteJob:
    """Implements `gpujob_worker.executor.JobContext` in a child."""

    def __init__(self, line: Line, facts: Mapping[str, Any]) -> None:
        self.id: str = facts["id"]
        self.kind: str = facts["kind"]
        self.input: Mapping[str, Any] = facts["input"]
        self.attempt: int = facts["attempt"]
        self.files: Mapping[str, Path] = {name: Path(path) for name, path in facts["files"].items()}
        self.workdir = Path(facts["workdir"])
        self.secrets: Mapping[str, str] = facts["secrets"]
        self.cache: StepCache = RemoteCache(line)
        self._line = line

    def progress(self, done: float, total: float, message: str = "", *, partial: str = "") -> None:
        """As JobContext.progress."""
        self.check()
        self._line.send({"op": "progress", "done": done, "total": total, "message": message, "partial": partial})

    def check(self) -> None:
        """As JobContext.check."""
        self._line.check()

    def sleep(self, seconds: float) -> None:
        """As JobContext.sleep."""
        self._line.sleep(seconds)

    def artifact(self, name: str, path: Path, *, media_type: str) -> None:
        """As JobContext.artifact. Returns when the file is in the bucket."""
        self.check()
        self._line.ask({"op": "artifact", "name": name, "path": str(path), "media_type": media_type})

    def log(self, text: str) -> None:
        """As JobContext.log."""
        self._line.send({"op": "log", "text": text})

    def warn(self, text: str) -> None:
        """As JobContext.warn."""
        self._line.send({"op": "warn", "text": text})
