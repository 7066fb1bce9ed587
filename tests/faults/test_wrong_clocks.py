"""Workers whose wall clock is a day off, either way: the same outcome, and the offset said once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from localstack.servers import Server

from gpujob.clock import SYSTEM
from gpujob.queue import save
from gpujob.records import QueueConfig
from tests.acceptance.processes import WorkerProcess
from tests.faults import impatient, trials
from tests.servers import minio, s3_server, seaweedfs

__all__ = ["minio", "s3_server", "seaweedfs"]

DAY_S = 86400.0
JOBS = 3

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize(("off_by_s", "said"), [(DAY_S, "24 h 0 min ahead of"), (-DAY_S, "24 h 0 min behind")])
def test_a_worker_whose_clock_is_a_day_off(off_by_s: float, said: str, s3_server: Server, tmp_path: Path) -> None:
    target = trials.on_server(s3_server)
    store = target.store(target.port)
    save(store.context, QueueConfig(created_at=SYSTEM.now(), ttl_s=15.0, beat_s=1.0))
    artifact = {"name": "a.bin", "bytes": 100}
    spec = {"kind": "echo", "input": {"message": "m", "sleep": 0.5, "artifacts": [artifact]}}
    ids = [store.submit(spec).id for _ in range(JOBS)]
    env = {**target.environment, **impatient.environment(off_by_s, patient=True)}
    flags = ("--kinds", "echo", "--max-jobs", str(JOBS))
    with WorkerProcess(target.url, tmp_path, *flags, env=env, command=impatient.COMMAND) as worker:
        results = [store.wait(job_id, timeout_s=100.0) for job_id in ids]
        worker.wait_for("left after")
        assert worker.end() == 0
    assert {(result.state, result.attempt, result.losses) for result in results} == {("succeeded", 1, 0)}
    for result in results:
        store.download(result, tmp_path / result.id)
        assert abs(result.finished_at - SYSTEM.now()) < 120, "moments of results are the store's"
    lines = [line for line in worker.lines if "This machine's clock is" in line]
    assert len(lines) == 1 and re.search(said, lines[0]), worker.lines
