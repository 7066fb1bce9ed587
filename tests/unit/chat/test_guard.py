"""The guard of a daemon: when its owner has gone, or the daemon, nothing of it is left."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from gpujob_worker.chat import guard

PATIENCE_S = 20.0
PROGRAM = "trap '' TERM; sleep 300 & echo $$ $!; read end < {fifo}; exit 7"

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no handles of processes")


class Guarded:
    """A shell that ignores SIGTERM and has a child of its own, under a guard."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, "sh", "-c", PROGRAM.format(fifo=self.fifo)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.guard.stdout is not None
        self.handles = [os.pidfd_open(int(pid)) for pid in self.guard.stdout.readline().split()]

    def all_gone(self) -> bool:
        """Whether everything ended in time."""
        self.guard.wait(PATIENCE_S)
        return all(select.select([handle], [], [], PATIENCE_S)[0] for handle in self.handles)


def test_nothing_outlives_the_owner(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    assert guarded.guard.stdin is not None
    guarded.guard.stdin.close()
    assert guarded.all_gone()


def test_nothing_outlives_the_program(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path)
    guarded.fifo.write_text("end\n")
    assert guarded.all_gone()
