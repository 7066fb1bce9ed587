"""`gpujob wait`: its ends, Ctrl-C, and a bucket in which something is broken."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from gpujob import JobStore, open_store

from .command_line import Person


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.fixture
def store(person: Person) -> JobStore:
    return open_store(person.store)


def echo(store: JobStore, **given: object) -> str:
    return store.submit({"kind": "echo", "input": given or {"message": "hi"}, "retry": {"max_attempts": 1}}).id


def serve(person: Person, jobs: int = 1) -> None:
    done = person.run("worker", "run", "--kinds", "echo", "--max-jobs", str(jobs), "--idle-exit", "20s")
    assert done.code == 0, done.err


def test_submit_and_wait_go_together_in_a_pipe(person: Person) -> None:
    person.write("one.json", {"kind": "echo", "input": {"artifacts": [{"name": "a/x.bin", "bytes": 5}]}})
    with person.running("worker", "run", "--kinds", "echo", "--idle-exit", "60s") as worker:
        worker.wait_for("serves echo")
        done = person.shell("gpujob submit one.json one.json | xargs gpujob wait -o out")
    assert done.code == 0, done.err
    assert sorted(path.name for path in (person.work / "out").glob("*/a/*")) == ["x.bin", "x.bin"]
    assert all(line.startswith("out/") and line.endswith("/a/x.bin") for line in done.lines)


def test_a_refused_submit_in_a_pipe_waits_for_no_older_job(person: Person, store: JobStore) -> None:
    """xargs runs `gpujob wait` without an id then, which ended with the success of the job before."""
    assert person.run("echo", "older").code == 0
    person.write("bad.json", {"kind": "echo", "input": {"massage": 1}})
    done = person.shell("gpujob submit bad.json | xargs gpujob wait")
    assert done.code != 0 and done.out == ""
    alone = person.run("wait", "--json", stdin="")
    assert alone.code == 2 and "@last" in alone.error["message"]


def test_at_a_terminal_no_id_is_the_last_job(person: Person, store: JobStore) -> None:
    assert person.run("echo", "last").code == 0
    ours, its = pty.openpty()
    try:
        done = person.run("wait", "-q", terminal=its)
    finally:
        os.close(its)
        os.close(ours)
    assert done.code == 0 and len(done.lines) == 1, done.err


def test_each_end_has_its_exit_code_and_several_have_the_worst(person: Person, store: JobStore) -> None:
    good, failing, cancelled = echo(store), echo(store, fail="boom"), echo(store)
    store.cancel(cancelled)
    serve(person, 2)
    assert person.run("wait", good).lines == [f"{good}  succeeded"]
    failed = person.run("wait", failing)
    assert failed.code == 100 and f"job {failing} failed: boom" in failed.err
    assert person.run("wait", cancelled).code == 103
    all_ = person.run("wait", good, cancelled, failing, "--json")
    assert all_.code == 100
    assert {one["id"]: one["state"] for one in all_.objects} == {
        good: "succeeded",
        failing: "failed",
        cancelled: "cancelled",
    }


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--timeout", "0.3s"], 124, "has not ended after 300ms; it goes on"),
        (["--worker-timeout", "0.3s"], 105, "no live worker"),
        (["--timeout", "soon"], 2, "--timeout"),
        (["-o", "/dev/null/out"], 6, "not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_waiting_may_end_before_the_job(
    person: Person, store: JobStore, flags: list[str], code: int, said: str
) -> None:
    job_id = echo(store)
    done = person.run("wait", job_id, *flags)
    assert done.code == code and said in done.err
    assert store.status(job_id).state == "queued"


def test_an_unknown_job_is_102_and_nothing_submitted_has_no_last(person: Person, store: JobStore) -> None:
    assert person.run("wait", store.new_id()).code == 102
    assert person.run("wait", "no-such-key").code == 102
    nothing = person.run("wait", "@last", "--json")
    assert nothing.code == 102 and "@last" in nothing.error["message"]


def test_ctrl_c_detaches_and_says_how_to_come_back(person: Person, store: JobStore) -> None:
    job_id = echo(store)
    with person.running("wait", job_id) as waiting:
        waiting.wait_for("no live worker")
        done = waiting.interrupt()
    assert done.code == 130 and done.out == ""
    assert f"`gpujob wait {job_id}` re-attaches, `gpujob cancel {job_id}` ends it." in done.err
    assert store.status(job_id).state == "queued"


def test_corrupt_and_foreign_objects_hide_no_other_job(person: Person, store: JobStore) -> None:
    good, bad = echo(store), echo(store)
    broken = store.new_id()
    store.bucket.create(f"done/{bad}.json", b'{"id": 7}')
    store.bucket.create(f"pending/5/{broken}.echo.json", b"\x00not json")
    store.bucket.create("pending/5/readme.txt", b"hello")
    store.bucket.create("done/zzz.json", b"{}")
    store.bucket.create("workers/w-1.json", b"[]")
    serve(person)
    done = person.run("wait", good, bad, broken)
    assert done.code == 100
    assert done.lines == [f"{good}  succeeded"]
    assert f"done/{bad}.json" in done.err and f"pending/5/{broken}.echo.json" in done.err
    assert "gpujob fsck" in done.err
    assert good in person.run("ls").out


def test_hostile_text_from_the_bucket_moves_no_cursor(person: Person, store: JobStore) -> None:
    job_id = echo(store, fail="\x1b[2J\x1b]0;owned\x07 [red]boom[/red]")
    serve(person)
    done = person.run("wait", job_id, FORCE_COLOR="1")
    assert done.code == 100 and "[red]boom[/red]" in done.err
    assert "\x1b[2J" not in done.err and "\x07" not in done.err


def test_a_truncated_file_is_106_and_is_not_placed(person: Person, store: JobStore) -> None:
    job_id = echo(store, artifacts=[{"name": "x.bin", "bytes": 1000}])
    serve(person)
    result = store.result(job_id)
    assert result is not None
    store.bucket.upload(result.artifacts[0].key, person.write("short", "short"))
    done = person.run("wait", job_id, "-o", "out")
    assert done.code == 106 and "x.bin" in done.err
    assert not (person.work / "out" / "x.bin").exists()


def test_a_different_file_in_the_way_is_5_and_kept_without_force(person: Person, store: JobStore) -> None:
    job_id = echo(store, artifacts=[{"name": "x.bin", "bytes": 10}])
    serve(person)
    (person.work / "out").mkdir()
    mine = person.write("out/x.bin", "mine")
    assert person.run("wait", job_id, "-o", "out").code == 5
    assert mine.read_text() == "mine"
    assert person.run("wait", job_id, "-o", "out", "--force").code == 0
    assert mine.stat().st_size == 10


def test_more_than_twenty_jobs_are_waited_for(person: Person, store: JobStore) -> None:
    ids = [echo(store, message=number) for number in range(25)]
    serve(person, 25)
    done = person.run("wait", *ids, "-q")
    assert done.code == 0 and sorted(done.lines) == sorted(ids)  # and no states: -q is ids or paths only
