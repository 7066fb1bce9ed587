"""Submitters and waiters of a chaos run, many at once, who reach the store by a way of their own, such as a bad one.

Invariant: a submitter that hears "nobody knows" submits the same id again, and a waiter keeps what it was told at the
end of its wait, so that it can be held against what the store really has.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from gpujob.errors import ChecksumMismatch, Unavailable
from gpujob.records import Result
from gpujob.store import JobStore

PATIENCE_S = 400.0


class Crowd:
    """Beside the workers: `submitters` share the jobs, `waiters` wait for each of them and fetch its file into `out`."""

    def __init__(self, store: JobStore, out: Path, *, submitters: int = 3, waiters: int = 6) -> None:
        self.told: dict[str, Result] = {}
        self.again: Counter[str] = Counter()  # how often somebody had to ask again, by what
        self.errors: list[BaseException] = []
        self._store = store
        self._out = out
        self._submitters, self._waiters = submitters, waiters
        self._ids: dict[int, str] = {}
        self._submitted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._submitting: list[threading.Thread] = []
        self._waiting: list[threading.Thread] = []

    def begin(self, specs: Sequence[Mapping[str, object]]) -> None:
        work = [list(enumerate(specs))[first :: self._submitters] for first in range(self._submitters)]
        self._submitting = [self._start(lambda share=share: self._submit(share)) for share in work]  # type: ignore[misc]
        self._waiting = [self._start(lambda number=number: self._wait(number)) for number in range(self._waiters)]  # type: ignore[misc]

    def end(self) -> list[str]:
        for thread in self._submitting:
            thread.join(PATIENCE_S)
        for _ in self._waiting:
            self._submitted.put(None)
        for thread in self._waiting:
            thread.join(PATIENCE_S)
        self.complain()
        assert set(self.told) == set(self._ids.values()), "a waiter is missing"
        return [self._ids[number] for number in range(len(self._ids))]

    def complain(self) -> None:
        """Raises what one of them met."""
        if self.errors:
            raise self.errors[0]

    def _start(self, work: object) -> threading.Thread:
        def guarded() -> None:
            try:
                work()  # type: ignore[operator]
            except BaseException as error:  # noqa: BLE001 - told by `end`
                self.errors.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def _submit(self, share: list[tuple[int, Mapping[str, object]]]) -> None:
        for number, spec in share:
            job_id = self._store.new_id()
            while True:
                try:
                    self._store.submit(spec, job_id=job_id)
                    break
                except Unavailable:
                    self.again["submit"] += 1
            self._ids[number] = job_id
            self._submitted.put(job_id)

    def _wait(self, number: int) -> None:
        """Every second waiter looks at the job's progress too, as `gpujob wait` does."""
        look = (lambda seen: None) if number % 2 else None
        while (job_id := self._submitted.get()) is not None:
            result = self._store.wait(job_id, on_look=look)
            while True:
                try:
                    self._store.download(result, self._out / job_id)
                    break
                except (Unavailable, ChecksumMismatch):  # the latter for a file that was altered twice on its way
                    self.again["download"] += 1
            self.told[job_id] = result

    def hold_against(self, truth: JobStore) -> None:
        """Raises where a waiter was told something else than the store has."""
        for job_id, told in self.told.items():
            assert truth.result(job_id) == told, f"the waiter of {job_id} was told another result"
