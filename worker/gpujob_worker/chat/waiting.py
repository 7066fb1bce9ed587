"""Waits for a daemon's answers without losing sight of the job: whatever is awaited ends as soon as the job has to.

Invariant: when one of these returns or raises, its request has been closed, so the daemon has stopped computing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, TypeVar

CHECK_EVERY_S = 0.2

T = TypeVar("T")
Check = Callable[[], None]  # raises when the job must stop


def each(stream: AsyncGenerator[T, None], check: Check) -> Iterator[T]:
    """The parts of a stream as they come. `check` is called with each part and often in between."""
    with asyncio.Runner() as runner:  # which closes the stream when it is left, whatever the reason
        while (part := runner.run(_watched(anext(stream, None), check))) is not None:
            yield part


def once(call: Coroutine[Any, Any, T], check: Check) -> T:
    """What one call gives back. `check` is called often until it does."""
    with asyncio.Runner() as runner:
        return runner.run(_watched(call, check))


async def _watched(awaited: Awaitable[T], check: Check) -> T:
    task = asyncio.ensure_future(awaited)
    try:
        while True:
            check()
            done, _ = await asyncio.wait({task}, timeout=CHECK_EVERY_S)
            if done:
                return task.result()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
