"""Time that passes only when everybody waits: an idle hour in the blink of an eye, with the code as it is.

Invariant: one thread runs at a time. Whoever sleeps or waits hands its turn to the thread that is due first, and the
clock jumps to that moment; so the order of events is that of an unhurried machine, whatever this one does.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable


class _Turn:
    """One wait of one thread."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.taken = False


class _Event:
    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._set = False
        self._waiting: list[_Turn] = []

    def set(self) -> None:
        self._set = True
        for turn in self._waiting:
            self._time.due(turn, self._time.now())
        self._waiting = []

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout_s: float | None = None) -> bool:
        if not self._set:
            turn = _Turn()
            self._waiting.append(turn)
            self._time.due(turn, math.inf if timeout_s is None else self._time.now() + timeout_s)
            self._time.hand_over(turn)
            self._waiting = [other for other in self._waiting if other is not turn]
        return self._set


class _Task:
    def __init__(self, time: VirtualTime, name: str, target: Callable[[], None]) -> None:
        self._over = _Event(time)
        turn = _Turn()

        def run() -> None:
            turn.go.acquire()
            try:
                target()
            finally:
                self._over.set()
                time.hand_over(None)

        threading.Thread(target=run, name=name, daemon=True).start()
        time.due(turn, time.now())

    def join(self, timeout_s: float | None = None) -> None:
        self._over.wait(timeout_s)

    def is_alive(self) -> bool:
        return not self._over.is_set()


class VirtualTime:
    """A `gpujob.clock.Runtime`. The thread that made it is the first to have the turn; requests take no time."""

    def __init__(self, start_s: float = 1_800_000_000.0) -> None:
        self._now_s = start_s
        self._due: list[tuple[float, int, _Turn]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now_s

    def elapsed(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        turn = _Turn()
        self.due(turn, self._now_s + seconds)
        self.hand_over(turn)

    def event(self) -> _Event:
        return _Event(self)

    def lock(self) -> threading.Lock:
        return threading.Lock()  # never contended: nobody hands over while holding one

    def spawn(self, name: str, target: Callable[[], None]) -> _Task:
        return _Task(self, name, target)

    def due(self, turn: _Turn, at_s: float) -> None:
        """`turn` runs at `at_s`, or earlier if that was said before."""
        heapq.heappush(self._due, (at_s, next(self._order), turn))

    def hand_over(self, mine: _Turn | None) -> None:
        """Lets the thread that is due first run; returns when `mine` is due, or at once for a thread that ends."""
        at_s, _, turn = heapq.heappop(self._due)
        while turn.taken:
            at_s, _, turn = heapq.heappop(self._due)
        assert at_s < math.inf, "everybody waits for somebody else"
        turn.taken = True
        self._now_s = max(self._now_s, at_s)
        if turn is mine:
            return
        turn.go.release()
        if mine is not None:
            mine.go.acquire()
