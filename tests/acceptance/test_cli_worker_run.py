"""`gpujob worker run --job` and its help: the ways to name a job are those of every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("way", ["a beginning", "a key", "@last", "--job=@last"])
def test_a_job_named_otherwise_than_by_its_id_was_left_alone_without_a_word(machine: Machine, way: str) -> None:
    spec = {"kind": "echo", "input": {}, "idempotency_key": "mine"}
    (machine.home / "echo.json").write_text(json.dumps(spec))
    job = machine.run("submit", "echo.json").out.strip()
    other = machine.submit()
    flags = {"a beginning": ["--job", job[:-1]], "a key": ["--job", "mine"], "@last": ["--job", "@last"]}
    ran = machine.run("worker", "run", "--kinds", "echo", *flags.get(way, [way]))
    assert ran.code == 0, ran.err
    store = machine.store()
    assert (store.status(job).state, store.status(other.id).state) == ("succeeded", "queued")


@pytest.mark.parametrize("text", ["nosuchkey", "01m8mhzxaf01wmq6nyhmepsysz"])
def test_a_job_that_is_nowhere_was_a_worker_that_left_content(machine: Machine, text: str) -> None:
    ran = machine.run("worker", "run", "--kinds", "echo", "--job", text)
    assert ran.code == 102
    assert f"error: no job {text}" in ran.err


def test_without_a_last_job_it_is_a_sentence(machine: Machine) -> None:
    ran = machine.run("worker", "run", "--job", "@last")
    assert ran.code == 102 and "there is no @last" in ran.err


@pytest.mark.parametrize("command", ["run", "setup-gpu"])
def test_minus_h_is_help_there_too_and_the_example_comes_first(machine: Machine, command: str) -> None:
    ran = machine.run("worker", command, "-h")
    assert ran.code == 0
    assert ran.out.index(f"  gpujob worker {command} --") < ran.out.index("Options:")
