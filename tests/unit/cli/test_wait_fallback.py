"""Which jobs `gpujob wait` does on this machine, and after how long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpujob import InvalidSpec
from gpujob_cli.commands import wait as module
from gpujob_cli.commands.wait import wait
from gpujob_cli.serving import Fallback, fallback_of
from gpujob_cli.session import Session
from tests.acceptance.machine import Machine

from .queues import MemorySession

Asked = list[tuple[list[str], float]]


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The jobs and times of each fallback; none of them is ever served."""
    seen: Asked = []

    def note(session: Session, jobs: Any, **given: Any) -> Fallback | None:
        found = fallback_of(session, jobs, **given)
        if found is not None:
            seen.append((list(found._jobs), found._after_s))
        return None

    monkeypatch.setattr(module, "fallback_of", note)
    return seen


def submit(session: MemorySession, **envelope: Any) -> str:
    return session.store.submit({"kind": "echo", "input": {}, **envelope}).id


def test_a_fallback_after_nothing_was_one_after_two_minutes(session: MemorySession, asked: Asked) -> None:
    job = submit(session)
    wait(session, [job], timeout="1s", fallback="local", fallback_after="0s")
    assert asked == [([job], 0.0)]


def test_the_specs_own_time_was_overruled_by_the_default(session: MemorySession, asked: Asked) -> None:
    job = submit(session, fallback="local", fallback_after="7s")
    wait(session, [job], timeout="1s", fallback="local")
    assert asked == [([job], 7.0)]


def test_a_spec_that_asks_was_not_heard_without_the_flag(session: MemorySession, asked: Asked) -> None:
    asks, other, ended = (submit(session, fallback=word, fallback_after="7s") for word in ("local", "none", "local"))
    session.store.cancel(ended)
    wait(session, [other, asks, ended], timeout="1s")
    wait(session, [asks], timeout="1s", fallback_after="2s")
    wait(session, [asks], timeout="1s", fallback="none")
    assert asked == [([asks], 7.0), ([asks], 2.0)]


def test_a_time_that_is_none_was_not_looked_at_without_a_fallback(session: MemorySession) -> None:
    with pytest.raises(InvalidSpec, match="--fallback-after"):
        wait(session, [submit(session)], fallback_after="bogus")


def test_a_job_that_cannot_be_read_hides_no_other(
    session: MemorySession, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = submit(session), submit(session)
    session.store.cancel(good)
    session.bucket.create(f"done/{bad}.json", b"{}")
    assert wait(session, [bad, good]) == 100
    said = capsys.readouterr().err
    assert f"done/{bad}.json" in said and f"job {good}" in said


def test_since_nothing_was_since_yesterday(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.done(age_s=3600)
    assert json.loads(machine.here("ls", "--since", "0s", "--json").out) == []
