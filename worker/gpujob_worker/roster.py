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

    All others leave before one loads again that ran out of it. `free` measures what is free now; without it, nobody has to
    leave for what another needs.
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
        was_warm = self.is_warm(kind)
        self._warm.pop(id(executor), None)
        if executor.ran_out:
            self._leave_all_to(executor)
        elif not was_warm:
            self._make_room(executor.needs)
        try:
            models = executor.load(wanted, report)
        except BaseException:
            if was_warm and executor.is_warm():
                self._warm[id(executor)] = (executor, ())  # it still holds memory that others may need
            raise
        self._warm[id(executor)] = (executor, models)
        return executor

    def warm(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The kinds and the models that are warm."""
        rows = self._living()
        kinds = {kind for executor, _ in rows for kind in executor.kinds if kind in self._by_kind}
        return tuple(sorted(kinds)), tuple(sorted({model for _, models in rows for model in models}))

    def is_warm(self, kind: str) -> bool:
        """Whether a job of this kind would find its executor loaded."""
        executor = self._by_kind.get(kind)
        return executor is not None and id(executor) in self._warm and executor.is_warm()

    def close(self) -> None:
        """Ends every executor."""
        self._warm.clear()
        for executor in self.executors:
            executor.close()

    def _living(self) -> list[tuple[Executor, tuple[str, ...]]]:
        """The rows of those that are warm still: a process that died has told nobody."""
        return [row for row in list(self._warm.values()) if row[0].is_warm()]

    def _make_room(self, needs: Needs) -> None:
        for executor, _ in self._living():
            if enough(needs, self._free()):
                return
            log.info("memory is short: %s makes room", ", ".join(executor.kinds))
            del self._warm[id(executor)]
            executor.close()

    def _leave_all_to(self, executor: Executor) -> None:
        """Ends all others, whatever they hold: what one needs is known only where it did not find it."""
        log.info("memory ran out: all others make room for %s", ", ".join(executor.kinds))
        self._warm.clear()
        for one in self.executors:
            if one is not executor:
                one.close()
