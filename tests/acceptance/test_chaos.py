"""Nothing lost, nothing committed twice, no other attempt's file named: under kill -9 and SIGSTOP, on real stores."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from localstack.servers import BUCKET, Server

from gpujob.chance import system_random
from gpujob.clock import SYSTEM
from gpujob.ids import new_id
from tests.acceptance import chaos
from tests.servers import minio, s3_server, seaweedfs
from tests.sizing import only_at_full_size, pick

__all__ = ["minio", "s3_server", "seaweedfs"]

pytestmark = pytest.mark.xdist_group("chaos")  # one at a time, and nobody else waits for it

PLAN = chaos.Plan(jobs=pick(60, 200), job_s=pick(0.4, 0.8), deadline_s=1400.0, seed=7)
DEFAULT_TTL = chaos.Plan(
    jobs=24,
    ttl_s=30.0,
    beat_s=10.0,
    job_s=6.0,
    first_blow_s=3.0,
    kill_every_s=(3.0, 6.0),
    most_blows=9,
    freeze_s=33.0,
    deadline_s=1400.0,
    seed=8,
)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """One chaos run at a time on a machine: four workers are enough for it."""
    with (Path(tempfile.gettempdir()) / "gpujob-chaos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fresh_prefix() -> str:
    return new_id(SYSTEM.now(), system_random())


@pytest.mark.timeout(1500)
def test_chaos_on_a_folder(tmp_path: Path) -> None:
    say(chaos.run((tmp_path / "store").as_uri(), PLAN))


@pytest.mark.timeout(1500)
def test_chaos_on_a_server(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    if s3_server.name == "seaweedfs":
        only_at_full_size("chaos on a second server")
    say(on_server(s3_server, PLAN, monkeypatch))


@pytest.mark.timeout(1500)
def test_chaos_with_the_default_ttl(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    only_at_full_size("the chaos run with the default ttl")
    say(on_server(seaweedfs, DEFAULT_TTL, monkeypatch))


def on_server(server: Server, plan: chaos.Plan, monkeypatch: pytest.MonkeyPatch) -> chaos.Report:
    url = f"s3://{BUCKET}/{fresh_prefix()}"
    environment = server.environment(url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return chaos.run(url, plan, environment)


def say(report: chaos.Report) -> None:
    """Shown by pytest -rP, and in the summary of a failure."""
    print(report)
    assert report.kills > 0
