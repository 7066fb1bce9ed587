"""The only module that asks the time or starts a thread.

Everything else takes a `Runtime` as an argument, so that the simulation can run the same code with its own time,
its own threads (greenlets) and its own order of events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol


class Event(Protocol):
    """A flag that one party sets and others wait for."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout_s: float | None = None) -> bool:
        """True as soon as the flag is set, False when `timeout_s` ran out first."""
        ...


class Lock(Protocol):
    """A mutual exclusion lock, used as a context manager; not re-entrant."""

    def __enter__(self) -> object: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Task(Protocol):
    """A running thread (or its counterpart in a simulation)."""

    def join(self, timeout_s: float | None = None) -> None: ...
    def is_alive(self) -> bool: ...


class Runtime(Protocol):
    """Time and concurrency as an argument."""

    def now(self) -> float:
        """Wall-clock seconds since 1970. For ids and for display; never for a decision about a lease."""
        ...

    def elapsed(self) -> float:
        """Seconds from some fixed moment on, counting time that the machine spent suspended."""
        ...

    def sleep(self, seconds: float) -> None: ...
    def event(self) -> Event: ...
    def lock(self) -> Lock: ...
    def spawn(self, name: str, target: Callable[[], None]) -> Task:
        """Starts `target` in a daemon thread of that name."""
        ...


class _ThreadEvent:
    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        return self._event.wait(timeout_s)


class _Thread:
    def __init__(self, name: str, target: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=target, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        self._thread.join(timeout_s)

    def is_alive(self) -> bool:
        return self._thread.is_alive()


_SUSPEND_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemRuntime:
    """The machine's own clock and threads."""

    def now(self) -> float:
        return time.time()

    def elapsed(self) -> float:
        return time.clock_gettime(_SUSPEND_CLOCK)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def event(self) -> Event:
        return _ThreadEvent()

    def lock(self) -> Lock:
        return threading.Lock()

    def spawn(self, name: str, target: Callable[[], None]) -> Task:
        return _Thread(name, target)


SYSTEM = SystemRuntime()
