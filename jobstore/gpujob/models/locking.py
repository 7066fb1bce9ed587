"""A lock between processes, as a file beside what it guards.

Invariant: the operating system drops the lock with the process that held it, so a killed download blocks nobody.
The lock file itself stays: removing it would let two processes hold "the" lock on two different files.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gpujob.errors import LocalDisk


@contextmanager
def file_lock(path: Path, *, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Holds `path` exclusively; calls `on_wait` once if somebody else has it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LocalDisk(
            f"cannot write to the model folder {path.parent}: {error.strerror}",
            hint="make the folder writable, or choose another model folder",
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
