"""Following jobs to their ends: exit codes, what is printed where, and Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpujob import Unavailable
from gpujob_cli.collecting import Target
from gpujob_cli.commands.echo import EchoFollower
from gpujob_cli.following import Follower, Wishes

from .queues import MemorySession


@pytest.fixture
def session() -> MemorySession:
    return MemorySession()


def follow(session: MemorySession, *ids: str, **wishes: object) -> int:
    return Follower(session, dict.fromkeys(ids), Wishes(**wishes)).follow()  # type: ignore[arg-type]


def interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


def test_success_is_summed_up_and_its_files_are_on_stdout(
    session: MemorySession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = session.echo(artifacts=[{"name": "a/one.bin", "bytes": 1000}])
    session.work()
    assert follow(session, job_id, target=Target(tmp_path / "out")) == 0
    assert session.stdout.getvalue() == f"{tmp_path}/out/a/one.bin\n"
    assert (tmp_path / "out" / "a" / "one.bin").stat().st_size == 1000
    assert "1 file, 1.0 kB, sha256 ok" in session.said()


def test_without_a_folder_the_state_is_the_answer(session: MemorySession) -> None:
    job_id = session.echo()
    session.work()
    assert follow(session, job_id, print_states=True) == 0
    assert session.stdout.getvalue() == f"{job_id}  succeeded\n"


def test_several_jobs_have_folders_of_their_own_and_one_exit_code(session: MemorySession, tmp_path: Path) -> None:
    made = [session.echo(artifacts=[{"name": "x", "bytes": 1}]) for _ in range(2)]
    cancelled = session.echo()
    session.store.cancel(cancelled)
    session.work(2)
    assert follow(session, *made, cancelled, target=Target(tmp_path)) == 103
    assert sorted(path.parent.name for path in tmp_path.glob("*/x")) == sorted(made)


@pytest.mark.parametrize("verb", ["cancelled", "failed"])
def test_ends_that_are_no_success(session: MemorySession, verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = session.store.submit({"kind": "echo", "input": {"fail": "boom"}, "retry": {"max_attempts": 1}}).id
    if verb == "failed":
        session.work()
    else:
        session.store.cancel(job_id)
    assert follow(session, job_id) == {"cancelled": 103, "failed": 100}[verb]
    said = capsys.readouterr().err
    assert job_id in said and verb in said


def test_ctrl_c_detaches_and_says_how_to_come_back(session: MemorySession, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = session.echo()
    session.clock.on_sleep = interrupt
    assert follow(session, job_id) == 130
    said = capsys.readouterr().err
    assert "detached; the job goes on" in said
    assert f"`gpujob wait {job_id}` re-attaches, `gpujob cancel {job_id}` ends it." in said
    assert session.store.status(job_id).state == "queued"


def test_a_timeout_is_124_and_says_so_under_json(capsys: pytest.CaptureFixture[str]) -> None:
    session = MemorySession(json=True)
    assert follow(session, session.echo(), timeout_s=5) == 124
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["type"], error["exit_code"]) == ("TimedOut", 124)


def test_no_worker_is_105(session: MemorySession, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(session, session.echo(), worker_timeout_s=5) == 105
    assert "no live worker" in capsys.readouterr().err


def test_any_returns_with_the_first_that_ends(session: MemorySession) -> None:
    first, second = session.echo(), session.echo()
    session.work()
    assert follow(session, first, second, first_only=True, print_states=True) == 0
    assert session.stdout.getvalue() == f"{first}  succeeded\n"
    assert session.store.status(second).state == "queued"


def test_a_store_that_is_away_is_told_with_the_way_back(
    session: MemorySession, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = session.echo()

    def away(key: str, *, max_bytes: int | None = None) -> None:
        raise Unavailable("the store timed out")

    monkeypatch.setattr(session.bucket, "get", away)
    with pytest.raises(Unavailable) as caught:
        follow(session, job_id)
    assert f"gpujob wait {job_id}" in str(caught.value.hint)


def test_an_altered_file_is_106(session: MemorySession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = session.echo(artifacts=[{"name": "x", "bytes": 10}])
    session.work()
    result = session.store.result(job_id)
    assert result is not None
    (tmp_path / "altered").write_bytes(b"not these ")
    session.bucket.upload(result.artifacts[0].key, tmp_path / "altered")
    assert follow(session, job_id, target=Target(tmp_path / "out")) == 106
    assert not (tmp_path / "out" / "x").exists()
    assert "x" in capsys.readouterr().err


def test_json_is_one_object_a_job(tmp_path: Path) -> None:
    session = MemorySession(json=True)
    ids = [session.echo(number) for number in range(2)]
    session.work(2)
    assert follow(session, *ids, target=Target(tmp_path)) == 0
    lines = [json.loads(line) for line in session.stdout.getvalue().splitlines()]
    assert [line["id"] for line in lines] == ids
    assert all(line["state"] == "succeeded" and line["files"] == [] for line in lines)
    assert [line["output"]["message"] for line in lines] == [0, 1]
    assert all(line["finished_at"].endswith("Z") for line in lines)


def test_an_echo_of_several_lines_came_back_as_one(session: MemorySession) -> None:
    job_id = session.echo("a\n\tb")
    session.work()
    assert EchoFollower(session, {job_id: None}, Wishes()).follow() == 0
    assert session.stdout.getvalue() == "a\n\tb\n"


def test_any_ended_with_an_id_that_is_nowhere_though_another_job_had_ended(
    session: MemorySession, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown, job_id = session.store.new_id(), session.echo()
    session.work()
    assert follow(session, unknown, job_id, first_only=True, print_states=True) == 102
    assert session.stdout.getvalue() == f"{job_id}  succeeded\n"
    assert f"no job {unknown}" in capsys.readouterr().err
