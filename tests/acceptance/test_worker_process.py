"""A worker as a process on a folder store: how it serves, drains, gives back, leaves, and what it survives."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gpujob import JobStore, keys, open_store
from gpujob.errors import WrongProtocol
from gpujob.records import Result
from gpujob_worker.machine import gpus
from tests import fake_gpus

from .processes import WorkerProcess

LONG_S = 5.0  # of a job that is still running when this process, on a loaded machine, has looked and acted


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def store(url: str) -> JobStore:
    return open_store(url)


def worker(url: str, tmp_path: Path, *flags: str) -> WorkerProcess:
    return WorkerProcess(url, tmp_path / "home", "--kinds", "echo", *flags)


def echo(store: JobStore, message: object = "hello", **more: object) -> str:
    return store.submit({"kind": "echo", "input": {"message": message, **more}}).id


def test_a_job_goes_through_a_worker_process(store: JobStore, url: str, tmp_path: Path) -> None:
    job_id = echo(store, {"deep": [1, 2]})
    with worker(url, tmp_path, "--once") as process:
        assert process.end() == 0
    result = store.result(job_id)
    assert result is not None and result.output == {"message": {"deep": [1, 2]}}
    assert result.worker["id"].rsplit("-", 1)[1].isalnum()


def test_once_leaves_when_nothing_waits(store: JobStore, url: str, tmp_path: Path) -> None:
    with worker(url, tmp_path, "--once") as process:
        assert process.end() == 0
        process.wait_for("left after no job")


def test_max_jobs_and_idle_exit_end_a_worker(store: JobStore, url: str, tmp_path: Path) -> None:
    ids = [echo(store, number) for number in range(3)]
    with worker(url, tmp_path, "--max-jobs", "2") as process:
        assert process.end() == 0
    assert sum(store.result(job_id) is not None for job_id in ids) == 2
    with worker(url, tmp_path, "--idle-exit", "0.2s") as process:
        assert process.end() == 0
    assert all(store.result(job_id) is not None for job_id in ids)


def test_the_first_signal_finishes_the_job_in_hand(store: JobStore, url: str, tmp_path: Path) -> None:
    job_id = echo(store, sleep=LONG_S)
    with worker(url, tmp_path) as process:
        process.wait_for("claimed")
        process.signal(signal.SIGTERM)
        process.wait_for("draining")
        later = echo(store, "not before somebody else comes")
        assert process.end() == 0
    assert _ended(store, job_id).state == "succeeded"
    assert store.status(later).state == "queued"
    assert store.workers() == []


def test_the_second_signal_gives_the_job_back(store: JobStore, url: str, tmp_path: Path) -> None:
    job_id = echo(store, sleep=300)
    with worker(url, tmp_path) as process:
        process.wait_for("claimed")
        process.signal(signal.SIGINT)
        process.wait_for("draining")
        process.signal(signal.SIGINT)
        process.wait_for("giving the job back")
        assert process.end() == 0
    status = store.status(job_id)
    assert status.state == "queued" and status.lease is not None
    assert (status.lease.releases, status.lease.failures, status.lease.losses) == (1, 0, 0)
    assert status.lease.history[-1].ended == "released"


def test_a_cancel_stops_the_job_and_the_worker_lives_on(store: JobStore, url: str, tmp_path: Path) -> None:
    quick = store.config.model_copy(update={"ttl_s": 8.0, "beat_s": 0.5})
    from gpujob.queue import save

    save(store.context, quick)
    job_id = echo(store, sleep=300)
    with worker(url, tmp_path) as process:
        process.wait_for("claimed")
        ended, ours = store.cancel(job_id)
        assert (ended.state, ours) == ("cancelled", True)
        process.wait_for("dropped")
        after = echo(store)
        process.wait_for(f"succeeded {after}")
    assert _ended(store, job_id).state == "cancelled"


def test_a_time_out_fails_the_attempt_with_its_type(store: JobStore, url: str, tmp_path: Path) -> None:
    spec = {"kind": "echo", "timeout": "1s", "retry": {"max_attempts": 1}, "input": {"message": 1, "sleep": 300}}
    job_id = store.submit(spec).id
    with worker(url, tmp_path, "--max-jobs", "1") as process:
        assert process.end() == 0
    result = _ended(store, job_id)
    assert result.state == "failed" and result.error is not None and result.error.type == "timeout"


def test_corrupt_and_foreign_objects_do_not_stop_a_worker(store: JobStore, url: str, tmp_path: Path) -> None:
    root = Path(url.removeprefix("file://"))
    assert root.is_dir()
    junk = "0" * 26
    store.bucket.create(keys.pending("high", junk, "echo"), b"{not json")
    store.bucket.create("pending/1/what is this", b"")
    store.bucket.create(keys.leased("1" * 26), b"\xff\xfe")
    job_id = echo(store)
    with worker(url, tmp_path) as process:
        process.wait_for(f"succeeded {job_id}")
    assert store.bucket.get(keys.pending("high", junk, "echo")) is not None, "a corrupt object is never deleted"
    found = store.fsck(repair=True)
    assert {finding.key for finding in found if finding.repaired} >= {keys.pending("high", junk, "echo")}
    assert _ended(store, junk).state == "failed"


def test_a_worker_that_can_serve_nothing_says_so(store: JobStore, url: str, tmp_path: Path) -> None:
    with WorkerProcess(url, tmp_path / "home", "--kinds", "no.such") as process:
        process.wait_for("nothing here can serve no.such")
        assert process.end() == 3


def test_a_check_reports_this_machine_and_serves_nothing(store: JobStore, url: str, tmp_path: Path) -> None:
    job_id = echo(store)
    with worker(url, tmp_path, "--check") as process:
        process.wait_for("Python 3")
        assert process.end() == 0
    assert store.status(job_id).state == "queued"
    with worker(url, tmp_path, "--check", "--require-gpu") as process:
        process.wait_for("a GPU is required")
        assert process.end() == 3


def test_a_heartbeat_is_printed_while_it_serves(store: JobStore, url: str, tmp_path: Path) -> None:
    with worker(url, tmp_path, "--heartbeat", "0.1s") as process:
        process.wait_for("serving: idle for")
        job_id = echo(store, sleep=LONG_S)
        process.wait_for(f"serving: {job_id} for")
        process.wait_for(", 1 job done")


def test_a_queue_of_another_protocol_is_refused_by_name(store: JobStore, url: str, tmp_path: Path) -> None:
    found = store.bucket.get(keys.QUEUE)
    assert found is not None
    newer = store.config.model_copy(update={"protocol": 2}).body()
    store.bucket.replace(keys.QUEUE, newer, found.version)
    with worker(url, tmp_path) as process:
        process.wait_for("queue.json speaks protocol 2; this gpujob speaks 1")
        assert process.end() == 3
    with pytest.raises(WrongProtocol, match=r"queue\.json speaks protocol 2; this gpujob speaks 1"):
        open_store(url)


def test_a_control_word_drains_a_worker(store: JobStore, url: str, tmp_path: Path) -> None:
    from gpujob_worker import EchoExecutor, Worker

    one = Worker(store, [EchoExecutor()], worker_id="told", presence_every_s=0.05)
    task = store.runtime.spawn("worker", lambda: one.run() and None)
    job_id = echo(store)
    store.wait(job_id)
    store.command_worker("told", "drain")
    task.join(30)
    assert not task.is_alive()


def test_a_killed_workers_job_is_taken_over(store: JobStore, url: str, tmp_path: Path) -> None:
    from gpujob.queue import save

    save(store.context, store.config.model_copy(update={"ttl_s": 8.0, "beat_s": 1.0}))
    job_id = echo(store, sleep=4)
    with worker(url, tmp_path) as first:
        first.wait_for("claimed")
        os.kill(first.process.pid, signal.SIGKILL)
        first.end()
    with worker(url, tmp_path, "--max-jobs", "1") as second:
        second.wait_for("claimed")
        assert second.end() == 0
    result = _ended(store, job_id)
    assert (result.state, result.attempt, result.losses, result.failures) == ("succeeded", 2, 1, 0)


def _ended(store: JobStore, job_id: str) -> Result:
    result = store.result(job_id)
    assert result is not None, f"{job_id} has not ended"
    return result


def test_a_worker_for_each_gpu_and_one_signal_for_all(
    store: JobStore, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_gpus.install(tmp_path, [fake_gpus.gpu(), fake_gpus.gpu()], monkeypatch)
    ids = [echo(store, number) for number in range(2)]
    with worker(url, tmp_path, "--gpu", "0,1", "--id", "box") as fleet:
        named = [fleet.wait_for("serves echo") for _ in range(2)]
        for job_id in ids:
            assert store.wait(job_id, timeout_s=30).state == "succeeded"
        fleet.signal(signal.SIGTERM)
        assert fleet.end() == 0
    assert sorted(line.split()[2].rsplit("-", 1)[0] for line in named) == ["box-gpu0", "box-gpu1"]
    assert store.workers() == []


@pytest.mark.skipif(bool(gpus()), reason="this machine has a GPU")
def test_where_a_gpu_is_required_and_missing_it_refuses(url: str, tmp_path: Path) -> None:
    with worker(url, tmp_path, "--require-gpu") as process:
        process.wait_for("a GPU is required (--require-gpu), and nvidia-smi lists none")
        assert process.end() == 3
