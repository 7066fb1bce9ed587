"""The executors of one worker: who serves which kind, which models are warm, and who makes room for whom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gpujob.errors import JobFailed

from .executor import Executor, Needs, Report
from .machine import Free

log = logging.getLogger("gpujob.worker")


def enough(needs: Needs, free: Free) -> bool:
    """Whether what is needed is free, as far as both are known."""
    return (free.memory is None or needs.memory <= free.memory) and (
        free.gpu_memory is None or needs.gpu_memory <= free.gpu_memory
    )


class Roster:
    """Loads executors for jobs and keeps them warm; the least recently used ones leave when memory is short.

    `free` measures what is free now; without it, nobody has to leave.
    """

    def __init__(
        self, executors: Iterable[Executor], *, kinds: Sequence[str] | None = None, free: Callable[[], Free] = Free
    ) -> None:
        self._by_kind = {kind: one for one in executors for kind in one.kinds if kinds is None or kind in kinds}
        self._free = free
        self._warm: dict[int, tuple[Executor, tuple[str, ...]]] = {}  # the least recently used one first

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds it serves."""
        return tuple(sorted(self._by_kind))

    @property
    def executors(self) -> tuple[Executor, ...]:
        """Each executor once."""
        return tuple({id(one): one for one in self._by_kind.values()}.values())

    def load(self, kind: str, wanted: Mapping[str, Any], report: Report) -> Executor:
        """The executor of a kind, warm for an input. Raises JobFailed where there is none or it cannot."""
        executor = self._by_kind.get(kind)
        if executor is None:
            raise JobFailed(f"this worker does not serve {kind}", type="engine")
        if self._warm.pop(id(executor), None) is None:
            self._make_room(executor.needs)
        models = executor.load(wanted, report)
        self._warm[id(executor)] = (executor, models)
        return executor

    def warm(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The kinds and the models that are warm."""
        rows = list(self._warm.values())
        kinds = {kind for executor, _ in rows for kind in executor.kinds if kind in self._by_kind}
        return tuple(sorted(kinds)), tuple(sorted({model for _, models in rows for model in models}))

    def is_warm(self, kind: str) -> bool:
        """Whether a job of this kind would find its executor loaded."""
        return id(self._by_kind.get(kind)) in self._warm

    def close(self) -> None:
        """Ends every executor."""
        self._warm.clear()
        for executor in self.executors:
            executor.close()

    def _make_room(self, needs: Needs) -> None:
        while self._warm and not enough(needs, self._free()):
            oldest = next(iter(self._warm))
            executor, _ = self._warm.pop(oldest)
            log.info("memory is short: %s makes room", ", ".join(executor.kinds))
            executor.close()
