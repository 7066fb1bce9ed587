"""Runs one program to its end, and kills it when the job must stop.

Invariant: when `run` returns or raises, the process is gone. It stays in the worker's child's process group, so that it
also goes when that child is killed; ffmpeg starts no processes of its own.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK_S = 0.25
KEPT_BYTES = 64 * 1024
_BLOCK_BYTES = 65_536


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, and the last 64 KiB of what it said on standard error."""

    code: int
    said: str


def run(
    arguments: Sequence[str],
    folder: Path,
    *,
    check: Callable[[], None],
    hear: Callable[[bytes], object] = lambda _: None,
) -> Ended:
    """Runs `arguments` in `folder` to the end; `hear` gets its standard output as it comes.

    `check` is called at least four times a second, and what it or `hear` raises ends the process. Raises OSError where
    the program cannot be started.
    """
    process = subprocess.Popen(
        list(arguments), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        said = _listen(process, check, hear)
        code = _wait(process, check)
    except BaseException:
        process.kill()
        raise
    finally:
        _close(process)
    return Ended(code, said.decode(errors="replace"))


def _listen(process: subprocess.Popen[bytes], check: Callable[[], None], hear: Callable[[bytes], object]) -> bytearray:
    assert process.stdout is not None and process.stderr is not None
    said = bytearray()

    def keep(block: bytes) -> None:
        said.extend(block)
        del said[:-KEPT_BYTES]

    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, hear)
        selector.register(process.stderr, selectors.EVENT_READ, keep)
        while selector.get_map():
            for key, _ in selector.select(TICK_S):
                block = os.read(key.fd, _BLOCK_BYTES)
                if block:
                    key.data(block)
                else:
                    selector.unregister(key.fileobj)
            check()
    return said


def _wait(process: subprocess.Popen[bytes], check: Callable[[], None]) -> int:
    while True:
        try:
            return process.wait(TICK_S)
        except subprocess.TimeoutExpired:
            check()


def _close(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
