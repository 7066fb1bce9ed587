"""The echo executor."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gpujob.errors import JobCancelled, JobFailed
from gpujob_worker.executors.echo import EchoExecutor, artifact_bytes, artifact_chunks
from tests.fake_job import FakeJob


def test_the_message_comes_back(tmp_path: Path) -> None:
    message = {"a": [1, None, "ü"]}
    outcome = EchoExecutor().run(FakeJob(tmp_path, {"message": message}))
    assert outcome.output == {"message": message}
    assert outcome.engine is not None and outcome.engine.name == "echo"


def test_it_sleeps_in_tenths(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, {"sleep": 2.0})
    EchoExecutor().run(job)
    assert job.slept_s == pytest.approx(2.0)
    assert [done for done, _, _ in job.reports] == list(range(11))


def test_it_wakes_up_when_cancelled(tmp_path: Path) -> None:
    job = FakeJob(tmp_path, {"sleep": 10.0})
    job.checks_left = 3
    with pytest.raises(JobCancelled):
        EchoExecutor().run(job)
    assert job.slept_s == pytest.approx(3.0)


def test_artifacts_are_known_beforehand(tmp_path: Path) -> None:
    wanted = [{"name": "a/b.bin", "bytes": 5}, {"name": "big", "bytes": (1 << 20) + 3}, {"name": "empty", "bytes": 0}]
    job = FakeJob(tmp_path, {"artifacts": wanted})
    EchoExecutor().run(job)
    assert job.artifacts == {
        str(one["name"]): artifact_bytes(str(one["name"]), int(str(one["bytes"]))) for one in wanted
    }
    assert [len(data) for data in job.artifacts.values()] == [5, (1 << 20) + 3, 0]


def test_artifact_bytes_never_change() -> None:
    digest = hashlib.sha256(artifact_bytes("probe", 3 * (1 << 20) + 1)).hexdigest()
    assert digest == "cecc98545ca541c3650cdbc10bb5f8c8d4fd28cb950a1293d9a6eaa11ff1eb21"
    assert max(len(chunk) for chunk in artifact_chunks("probe", 5 << 20)) == 1 << 20
    assert artifact_bytes("a", 10) != artifact_bytes("b", 10)


def test_it_fails_when_told_and_only_as_often(tmp_path: Path) -> None:
    job_input = {
        "fail": "broken on purpose",
        "fail_attempts": 2,
        "message": 1,
        "artifacts": [{"name": "x", "bytes": 1}],
    }
    for attempt in (1, 2):
        job = FakeJob(tmp_path, job_input, attempt=attempt)
        with pytest.raises(JobFailed, match="broken on purpose") as failure:
            EchoExecutor().run(job)
        assert (failure.value.type, failure.value.retryable) == ("engine", True)
        assert list(job.artifacts) == ["x"]
    assert EchoExecutor().run(FakeJob(tmp_path, job_input, attempt=3)).output == {"message": 1}
    with pytest.raises(JobFailed):
        EchoExecutor().run(FakeJob(tmp_path, {"fail": "always", "fail_attempts": None}, attempt=9))
