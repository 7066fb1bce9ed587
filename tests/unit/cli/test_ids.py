"""What a person may type for an id, and what `@last` remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob.errors import Conflict, NotFound

from .queues import MemorySession


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemorySession:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return MemorySession()


def test_an_id_a_prefix_and_a_key_mean_the_same_job(session: MemorySession) -> None:
    job = session.store.submit({"kind": "echo", "input": {"message": 1}, "idempotency_key": "intro-v3"}).id
    assert session.job_id(job) == session.job_id(job[:12]) == session.job_id("intro-v3") == job


def test_ids_come_in_order_and_once(session: MemorySession) -> None:
    first, second = session.echo(), session.echo()
    assert session.job_ids([second, first, second]) == [second, first]


def test_a_prefix_of_several_is_refused(session: MemorySession) -> None:
    session.echo()
    session.echo()
    with pytest.raises(Conflict, match="beginning of several"):
        session.job_id("0")


def test_last_is_the_last_of_this_store(session: MemorySession) -> None:
    with pytest.raises(NotFound, match="@last"):
        session.job_id("@last")
    session.remember(session.echo())
    job = session.echo()
    session.remember(job)
    assert session.job_id("@last") == job
    assert MemorySession().job_id("@last") == job  # the same store, another command


def test_a_state_folder_that_refuses_costs_only_last(
    session: MemorySession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    session.remember(session.echo())
    assert "@last will not mean this job" in session.said()


def test_max_pending_refuses_above_it(session: MemorySession) -> None:
    session.__dict__["loaded"] = type(session.loaded)(session.settings.model_copy(update={"max_pending": 3}))
    session.echo()
    session.echo()
    session.require_room(1)
    with pytest.raises(Conflict, match="2 jobs wait already"):
        session.require_room(2)
