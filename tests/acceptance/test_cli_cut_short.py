"""Commands that are cut short: whoever reads has left, or somebody presses Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from gpujob.clock import SystemRuntime
from tests.acceptance.machine import GPUJOB, PATIENCE_S, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def unread(machine: Machine, *args: str, talk_too: bool = False) -> subprocess.CompletedProcess[str]:
    """`gpujob ARGS`, whose stdout nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [GPUJOB, *args],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing if talk_too else subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            cwd=machine.home,
            env=machine.env,
            check=False,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize(
    "args",
    [["schema"], ["--help"], ["--version"], ["ls", "--help"], ["ls", "--json"], ["validate", "echo.json"]],
    ids=" ".join,
)
def test_a_closed_pipe_was_exit_1_as_a_bug_is(machine: Machine, args: list[str]) -> None:
    (machine.home / "echo.json").write_text(json.dumps({"kind": "echo", "input": {}}))
    done = unread(machine, *args)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_that_nobody_reads_is_a_closed_pipe_too(machine: Machine) -> None:
    assert unread(machine, "frobnicate", talk_too=True).returncode == 141


@pytest.mark.parametrize("args", [["logs", "-f"], ["ls", "--watch"]], ids=" ".join)
@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["said", "json"])
def test_ctrl_c_ended_without_a_word(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, args: list[str], flags: list[str]
) -> None:
    job = machine.submit()

    def interrupt(self: SystemRuntime, seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SystemRuntime, "sleep", interrupt)
    ran = machine.here(*args, *([job.id] if args[0] == "logs" else []), *flags)
    assert ran.code == 130
    if flags:
        assert ran.error["type"] == "Interrupted" and ran.error["exit_code"] == 130
    else:
        assert ran.err == "interrupted by Ctrl-C\n"


def test_ctrl_c_at_a_question_removes_nothing_and_says_so(machine: Machine) -> None:
    job = machine.done()
    ours, its = pty.openpty()
    try:
        with subprocess.Popen(
            [GPUJOB, "rm", job.id],
            stdin=its,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=machine.home,
            env=machine.env,
        ) as asking:
            assert asking.stderr is not None
            asked = b""
            while b"[y/N]" not in asked:
                piece = asking.stderr.read(1)
                assert piece, asked
                asked += piece
            asking.send_signal(signal.SIGINT)
            _, rest = asking.communicate(timeout=PATIENCE_S)
    finally:
        os.close(its)
        os.close(ours)
    assert asking.returncode == 130
    assert rest.decode().endswith("interrupted by Ctrl-C\n")
    assert machine.store().status(job.id).state == "succeeded"
