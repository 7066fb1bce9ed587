"""Runs a program that ends with whoever started it, however that ends: `python guard.py PROGRAM ARGUMENT...`

The owner holds the other end of this process's stdin; when it closes, be it by kill -9, the program is asked to leave.
Invariant: when this process has ended, so has everything that the program had started. The standard library alone.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress

LEAVE_WITHIN_S = 4.0


def main() -> None:
    """Returns never: ends its own process group, itself included, when the owner or the program has gone."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake)
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    select.select([sys.stdin, ended], [], [])
    with suppress(subprocess.TimeoutExpired):
        program.terminate()
        program.wait(LEAVE_WITHIN_S)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
