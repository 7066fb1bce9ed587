"""Nothing lost, nothing committed twice, every waiter told the truth: with one request in twenty, or in five, going wrong.

Workers are killed and frozen as in tests/acceptance/test_chaos.py, while they, the submitters and the waiters reach a
real server through the fault proxy.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from localstack.servers import Server

from tests.faults import trials
from tests.faults.draws import ALL, Chances
from tests.servers import minio, s3_server, seaweedfs
from tests.sizing import only_at_full_size, pick

__all__ = ["minio", "s3_server", "seaweedfs"]

pytestmark = pytest.mark.xdist_group("chaos")  # one at a time, and nobody else waits for it

JOBS = pick(16, 500)
RATES = pick([0.2], [0.05, 0.2])
PLAN = replace(
    trials.PLAN,
    jobs=JOBS,
    job_s=pick(0.5, 0.05),
    first_blow_s=1.0,
    look_every_s=pick(0.2, 0.5),
    deadline_s=1400.0,
)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One chaos run at a time on a machine."""
    with (Path(tempfile.gettempdir()) / "gpujob-chaos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("rate", RATES)
def test_chaos_under_faults(rate: float, s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    if s3_server.name == "seaweedfs":
        only_at_full_size("chaos behind the fault proxy on a second server")
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    found = trials.run(trials.on_server(s3_server), Chances(rate), replace(PLAN, seed=int(rate * 100)))
    print(found)
    assert found.report.kills > 0
    assert found.waits == JOBS
    assert rate / 2 < found.faults.total() / found.requests < rate * 2
    assert JOBS < 100 or set(found.faults) == set(ALL), "every kind of fault was met"
