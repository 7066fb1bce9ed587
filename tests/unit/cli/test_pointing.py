"""The next command that is printed leads to the store that this one works on."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob_cli.following import Follower, Wishes
from gpujob_cli.session import Session
from tests.acceptance.machine import Machine

from .queues import MemorySession

ECHO = {"kind": "echo", "input": {"message": "`gpujob ls`"}}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_commands_of_every_error_led_to_another_store(machine: Machine) -> None:
    here = ("--store", machine.url)
    waits = machine.store().submit({**ECHO, "idempotency_key": "k"}).id
    (machine.home / "other.json").write_text('{"kind": "echo", "input": {"message": 2}, "idempotency_key": "k"}')
    for words, command in (
        (("retry", waits), f"cancel {waits}"),
        (("rm", "--yes", waits), f"cancel {waits}"),
        (("cancel", "nope"), "ls"),
        (("submit", "other.json"), f"show {waits}"),
        (("logs", waits, "--attempt", "3"), f"show {waits}"),
        (("worker", "drain", "nobody"), "worker ls"),
        (("show", "nope"), "ls"),
    ):
        assert f"`gpujob {command} --store {machine.url}`" in machine.here(*words, *here).err, words
        error = machine.here(*words, *here, "--json").error
        assert f"`gpujob {command} --store {machine.url}`" in error["hint"], words
        assert f"`gpujob {command}`" in machine.here(*words).err, words


def test_so_did_those_of_show_and_of_the_talk(machine: Machine) -> None:
    here = ("--store", machine.url)
    job = machine.store().submit(ECHO | {"title": "`gpujob ls`"}).id
    said = machine.here("show", job, *here).out
    assert f"`gpujob worker run --store {machine.url}`" in said and "title      `gpujob ls`\n" in said
    assert f"`gpujob worker run --store {machine.url}`" in machine.here("worker", "ls", *here).err
    assert f"`gpujob worker run --store {machine.url}`" in machine.here("wait", job, *here, "--timeout", "0.1s").err
    assert "`gpujob worker run`" in machine.here("show", job).out
    doctor = machine.here("doctor", "--no-probe", *here, "--json").json
    nexts = [one["next"] for one in doctor["checks"]]
    assert f"gpujob worker run --store {machine.url}" in nexts


def test_a_command_without_a_store_or_with_one_stays_as_it_is() -> None:
    session = Session(store="s3://a/b c", profile="work")
    flags = "--store 's3://a/b c' --profile work"
    assert session.pointed("`gpujob ls`, or `gpujob show`") == f"`gpujob ls {flags}`, or `gpujob show {flags}`"
    for kept in ("`gpujob schema KIND`", "`gpujob init URL`", f"`gpujob ls {flags}`", "gpujob ls", "`ls`", ""):
        assert session.pointed(kept) == kept
    assert "secret" not in Session(store="s3://me:secret@x/y").pointed("`gpujob ls`")


def test_the_way_back_to_many_jobs_was_three_literal_dots() -> None:
    session = MemorySession()
    for count, more in ((20, ""), (21, " There are 20 more: `gpujob ls` lists them.")):
        ids = [session.echo() for _ in range(count)]
        said = Follower(session, dict.fromkeys(ids), Wishes())._come_back()
        named = ids[:1] if more else ids
        assert said.startswith(f"`gpujob wait {' '.join(named)}` re-attaches")
        assert "..." not in said and said.endswith(f"ends {'it' if more else 'them'}.{more}")
