"""The shortcuts are `submit`, built from flags: what `submit` takes for a job, they take too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.machine import Machine

SHORTCUTS = {
    "tts": ["tts", "Hello."],
    "image": ["image", "a lighthouse"],
    "chat": ["chat", "Why?", "--model", "smollm2:135m"],
    "encode": ["encode", "talk.mov"],
    "echo": ["echo", "hi"],
}
SHARED = [
    "--title", "T", "--priority", "high", "--label", "a=1", "--label", "b=2", "--idempotency-key", "mine",
    "--fallback", "local", "--fallback-after", "7s",
]  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / "talk.mov").write_bytes(b"x")
    return made


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_shortcut_knew_no_label_no_key_and_no_dry_run(machine: Machine, name: str) -> None:
    ran = machine.here(*SHORTCUTS[name], *SHARED, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    spec = ran.json
    assert (spec["title"], spec["priority"], spec["labels"]) == ("T", "high", {"a": "1", "b": "2"})
    assert (spec["idempotency_key"], spec["fallback"], spec["fallback_after"]) == ("mine", "local", 7)
    assert not machine.store_folder.exists()


@pytest.mark.parametrize("name", SHORTCUTS)
def test_a_bad_value_of_one_is_refused_as_submit_does(machine: Machine, name: str) -> None:
    for flags, said in (
        (["--label", "x"], "NAME=VALUE"),
        (["--fallback", "moon"], "fallback"),
        (["--fallback-after", "soon"], "fallback_after"),
        (["--priority", "urgent"], "priority"),
    ):
        ran = machine.here(*SHORTCUTS[name], *flags)
        assert ran.code == 2 and said in ran.err, (flags, ran.err)
    assert not machine.store_folder.exists()


def test_a_key_given_twice_is_one_job(machine: Machine) -> None:
    line = ["echo", "hi", "--idempotency-key", "mine", "--no-wait", "--fallback", "local"]
    one, again = machine.run(*line), machine.run(*line)
    assert one.code == again.code == 0
    assert one.out == again.out and "already submitted" in again.err
    assert f"fallback: local takes effect while somebody waits: `gpujob wait {one.out.strip()}`" in one.err
