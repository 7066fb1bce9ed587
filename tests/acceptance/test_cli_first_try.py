"""The first try: with nothing set up, a job is served on this machine through the same protocol."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from gpujob import models, open_store
from gpujob.artifacts import download
from tests.sizing import require_or_skip

from .command_line import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_echo_answers_with_nothing_set_up(person: Person) -> None:
    done = person.run("echo", "are you there?")
    assert done.code == 0
    assert len(done.lines) == 2 and done.lines[1] == "are you there?"
    assert "this machine does it" in done.err and "succeeded in" in done.err
    store = open_store(person.store)
    result = store.result(done.lines[0])
    assert result is not None and result.worker["id"]
    assert store.workers() == []  # it has left
    assert not list((person.home / ".local" / "state" / "gpujob" / "workers").iterdir())


def test_files_come_back_verified(person: Person) -> None:
    spec = {"kind": "echo", "input": {"message": 1, "artifacts": [{"name": "data/one.bin", "bytes": 100_000}]}}
    done = person.run("submit", person.write("one.json", spec), "--wait", "-o", "out")
    assert done.code == 0 and done.lines[1:] == ["out/data/one.bin"]
    assert "1 file, 100 kB, sha256 ok" in done.err
    [job_id] = done.lines[:1]
    result = open_store(person.store).result(job_id)
    assert result is not None
    fetched = download(open_store(person.store).bucket, result.artifacts, person.work / "again")
    assert fetched[0].read_bytes() == (person.work / "out/data/one.bin").read_bytes()
    shown = person.run("wait", "@last", "--json", "-o", "out")
    assert shown.code == 0 and shown.objects[0]["id"] == job_id and shown.objects[0]["files"] == ["out/data/one.bin"]


def test_json_answers_in_lines_and_keeps_the_talk_away(person: Person) -> None:
    done = person.run("echo", "x", "--json", "--fail", "boom", "--fail-attempts", "1", "--sleep", "10ms")
    submitted, ended = done.objects
    assert submitted["id"] == ended["id"] and (submitted["state"], ended["state"]) == ("queued", "succeeded")
    assert ended["attempt"] == 2 and ended["output"] == {"message": "x"}
    assert done.err == ""


def test_a_failure_is_100_and_the_worker_is_gone_all_the_same(person: Person) -> None:
    spec = {"kind": "echo", "input": {"fail": "boom"}, "retry": {"max_attempts": 1}}
    done = person.run("submit", person.write("one.json", spec), "--wait", "--json")
    assert done.code == 100
    assert done.error["type"] == "JobFailed" and "boom" in done.error["message"]
    assert open_store(person.store).workers() == []


def test_ctrl_c_leaves_the_job_to_its_worker(person: Person) -> None:
    with person.running("echo", "later", "--sleep", "4s") as trying:
        trying.wait_for("running on")
        done = trying.interrupt()
    assert done.code == 130
    found = re.search(r"a worker on this machine \(process (\d+)\) goes on with it", done.err)
    assert found is not None, done.err
    try:
        back = person.run("wait", done.lines[0])
        assert back.code == 0 and "succeeded" in back.out
    finally:
        os.kill(int(found[1]), signal.SIGTERM)


def test_a_kind_that_nothing_here_can_do_is_3_and_nothing_is_submitted(person: Person) -> None:
    spec = {"kind": "acme.upscale", "input": {"picture": "a cat"}}
    done = person.run("submit", person.write("one.json", spec), "--wait", "--allow-unknown-kind")
    assert (done.code, done.out) == (3, "")
    assert "no live worker serves acme.upscale" in done.err
    assert open_store(person.store).jobs() == []


def test_a_live_worker_is_left_to_do_it(person: Person) -> None:
    with person.running("worker", "run", "--kinds", "echo", "--id", "mine", "--idle-exit", "60s") as worker:
        worker.wait_for("serves echo")
        done = person.run("echo", "hello", "--json")
    assert done.code == 0 and done.objects[-1]["worker"]["id"].startswith("mine-")


def test_worker_run_is_the_workers_own_program(person: Person) -> None:
    assert person.run("worker", "run", "--once", "--kinds", "echo").code == 0
    wrong = person.run("worker", "run", "--kinds", "ecoh")
    assert wrong.code == 3 and "ecoh" in wrong.err
    shown = person.run("worker", "run", "--help")
    assert shown.code == 0 and "--idle-exit" in shown.out


def test_a_job_that_this_machine_cannot_do_starts_no_worker_again_and_again(person: Person) -> None:
    """A worker was started anew whenever the one before had idled out, and the line never said what it lacked."""
    spec = {"kind": "echo", "input": {"message": "big"}, "requires": {"gpu_memory": "800GB"}}
    job = person.run("submit", person.write("big.json", spec)).lines[0]
    done = person.run("wait", job, "--fallback", "local", "--fallback-after", "1s", "--timeout", "40s")
    assert done.code == 124, done.err
    assert "this machine cannot do it: no worker has 800 GB of GPU memory" in done.err
    assert done.err.count("so this machine does it") == 1
    ended = [
        path for path in (person.home / ".local" / "state").rglob("workers/*.log") if "left" not in path.read_text()
    ]
    assert not ended, [path.read_text() for path in ended]


def test_a_store_that_cannot_be_a_folder_is_a_sentence(person: Person) -> None:
    blocked = person.write("blocked", "a file, not a folder")
    done = person.run("echo", "x", XDG_DATA_HOME=str(blocked))
    assert (done.code, done.out) == (3, "")
    assert str(blocked) in done.err


@pytest.mark.timeout(400)
def test_the_demo_speaks_and_its_second_run_takes_every_line_from_the_cache(person: Person) -> None:
    require_or_skip("kokoro", "gpujob models pull kokoro", there=bool(models.installed()))
    cache = {"XDG_CACHE_HOME": str(models.default_root().parents[1])}
    first = person.run("demo", "--json", **cache)
    assert first.code == 0, first.err
    steps = first.objects[-1]["output"]["steps"]
    assert len(steps) == 3 and not any(step["cached"] for step in steps)
    second = person.run("demo", **cache)
    assert second.code == 0 and "Nothing was spoken again" in second.err
    made = {path.relative_to("demo-out").as_posix() for path in map(Path, second.lines[1:])}
    wavs = {f"audio/step-{step['id']}.wav" for step in steps}
    assert made >= wavs and {Path(name).suffix for name in made} == {".wav", ".srt", ".vtt"}
    for name in wavs:
        assert (person.work / "demo-out" / name).read_bytes()[:4] == b"RIFF"
