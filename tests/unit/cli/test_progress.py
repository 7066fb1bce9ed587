"""The line for a running job: what counts as a change, and what may change all the time."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob.protocol.status import Status
from gpujob.records import Presence, Progress
from gpujob.why import why
from gpujob_cli.output import Line
from gpujob_cli.progress import Pace, line_of, line_of_many
from gpujob_cli.serving import Fallback

from .queues import MemorySession


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


def shown(session: MemorySession, **facts: Any) -> Line:
    """The line of a job that reports this progress."""
    job_id = session.echo()
    held = session.store.poller("w-1", serves_kind=lambda kind: True, serves=lambda manifest: True).next()
    assert held is not None
    held.report(Progress(**facts))
    held.beat()
    line, _ = line_of(session.store.status(job_id), (), now=session.clock.now(), ahead=None, pace=Pace())
    return line


def test_a_step_is_counted(session: MemorySession) -> None:
    line = shown(session, done=1, total=4, message="sleeping")
    assert (line.text, line.fraction, line.growing) == ("running on w-1  step 1/4  sleeping", 0.25, "")


def test_a_text_that_grows_counts_no_tokens(session: MemorySession) -> None:
    line = shown(session, done=12, total=48, message="answering", partial="Once upon")
    assert (line.text, line.fraction, line.growing) == ("running on w-1  answering", 0.25, "Once upon")


def waits(session: MemorySession) -> Status:
    """A job that failed once and backs off, with a worker that would do it."""
    job_id = session.echo(fail="no luck", fail_attempts=1)
    session.work()
    return session.store.status(job_id)


def test_a_countdown_cost_a_line_of_a_log_each_second(session: MemorySession) -> None:
    status, now = waits(session), session.clock.now()
    worker = Presence(id="w-1", session="s", started_at=now, kinds=("echo",))
    for at in (now, now + 1, now + 2):
        line, _ = line_of(status, [(worker, 0.0)], now=at, ahead=None, pace=Pace())
        session.out.status(line)
    assert session.said().count("\n") == 1 and "s left; attempt 2 follows" in session.said()


def test_so_did_one_among_several_jobs(session: MemorySession) -> None:
    status, now = waits(session), session.clock.now()
    worker = Presence(id="w-1", session="s", started_at=now, kinds=("echo",))
    for at in (now, now + 1, now + 2):
        session.out.status(line_of_many(1, 2, [status], why(status, [(worker, 0.0)], now=at)))
    assert session.said().count("\n") == 1 and "s left; attempt 2 follows" in session.said()


def test_and_that_of_a_fallback(session: MemorySession) -> None:
    serving = Fallback(session, {session.echo(): "echo"}, 120.0)
    for _ in range(3):
        line = serving.attend()
        assert line is not None
        session.out.status(line.after("queued: "))
        session.clock.at += 1
    assert session.said() == "queued: no live worker; this machine does it in 2m\n"
