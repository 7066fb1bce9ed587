"""The server is killed with -9 in the middle of a run, and comes back: workers, submitters and waiters carry on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import Server

from tests.acceptance import chaos
from tests.faults import impatient, trials
from tests.faults.crowd import Crowd
from tests.servers import NAMES
from tests.sizing import only_at_full_size, require_or_skip

pytestmark = pytest.mark.xdist_group("chaos")  # one at a time, and nobody else waits for it

JOBS = 48
DEATHS = 2


@pytest.fixture(params=NAMES)
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this test's own, since others would miss it."""
    only_at_full_size("a server killed with -9 in the middle of a run")
    require_or_skip(request.param, HOW[request.param], there=find(request.param) is not None)
    with servers.running(request.param) as server:
        yield server


class Killing:
    """Kills the server each time that another share of the jobs has ended, and starts it again."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.deaths = 0

    def __call__(self, ended: int) -> None:
        if self.deaths < DEATHS and ended >= JOBS * (self.deaths + 1) // (DEATHS + 2):
            self.deaths += 1
            self.server.stop(keep=True)
            self.server.start()


@pytest.mark.timeout(900)
def test_a_server_that_dies_and_comes_back(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in own_server.environment().items():
        monkeypatch.setenv(name, value)
    target = trials.on_server(own_server)
    plan = replace(trials.PLAN, jobs=JOBS, kill_every_s=(4.0, 8.0), deadline_s=800.0, seed=3)
    killing = Killing(own_server)
    with tempfile.TemporaryDirectory(prefix="gpujob-crowd-", ignore_cleanup_errors=True) as out:
        people = Crowd(target.store(target.port), Path(out))
        env = {**target.environment, **impatient.environment()}
        print(chaos.run(target.url, plan, env, crowd=people, meanwhile=killing))
        people.hold_against(target.store(target.port))
    assert killing.deaths == DEATHS
    assert len(people.told) == JOBS
