"""The line for a running job: what counts as a change, and what may change all the time."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob.records import Progress
from gpujob_cli.output import Line
from gpujob_cli.progress import Pace, line_of

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
