"""A program under watch: its words, its end, and that nothing of it is left when the job must stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gpujob.errors import JobCancelled
from gpujob_worker.video.running import KEPT_BYTES, run

TALKS = "import sys; print('one', flush=True); sys.stderr.write('two'); sys.exit(3)"
FLOODS = "import sys; sys.stderr.write('x' * 1_000_000 + 'end'); sys.stdout.write('y' * 1_000_000)"
HANGS = "import os, sys, signal; print(os.getpid(), flush=True); signal.pause()"
DEAF = "import os, sys, signal; print(os.getpid(), flush=True); os.close(1); os.close(2); signal.pause()"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_its_output_and_its_end(tmp_path: Path) -> None:
    heard = bytearray()
    ended = run(python(TALKS), tmp_path, check=lambda: None, hear=heard.extend)
    assert (ended.code, ended.said, bytes(heard)) == (3, "two", b"one\n")


def test_a_flood_is_cut_to_its_end(tmp_path: Path) -> None:
    ended = run(python(FLOODS), tmp_path, check=lambda: None)
    assert len(ended.said) == KEPT_BYTES and ended.said.endswith("end")


@pytest.mark.parametrize("code", [HANGS, DEAF])
def test_it_is_gone_when_the_job_must_stop(tmp_path: Path, code: str) -> None:
    heard = bytearray()

    def check() -> None:
        if heard.endswith(b"\n"):
            raise JobCancelled("the test cancelled the job")

    with pytest.raises(JobCancelled):
        run(python(code), tmp_path, check=check, hear=heard.extend)
    with pytest.raises(ProcessLookupError):
        os.kill(int(heard), 0)


def test_it_stays_in_the_group_that_is_killed_with_the_workers_child(tmp_path: Path) -> None:
    heard = bytearray()
    run(python("import os; print(os.getpgid(0))"), tmp_path, check=lambda: None, hear=heard.extend)
    assert int(heard) == os.getpgid(0)
