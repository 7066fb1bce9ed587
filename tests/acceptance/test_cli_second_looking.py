"""`ls`, `show` and `logs`, as a person types them."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from gpujob import keys
from gpujob.protocol.lease import HeldLease
from gpujob.records import Presence, Progress
from tests.acceptance.machine import PATIENCE_S, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def held(machine: Machine, worker: str = "w-1") -> HeldLease:
    """The next job, claimed by a worker that does nothing with it."""
    poller = machine.store().poller(worker, serves_kind=lambda _: True, serves=lambda _: True)
    found = poller.next()
    assert found is not None
    return found


def lives(machine: Machine, worker: str = "w-1", /, **fields: object) -> None:
    """A worker's presence, as it would write it now."""
    given = {"id": worker, "session": "s", "started_at": 1.0, "kinds": ("echo",)}
    machine.store().bucket.create(keys.worker(worker), Presence(**{**given, **fields}).body())  # type: ignore[arg-type]


def log_chunk(machine: Machine, job_id: str, number: int, text: str) -> None:
    status = machine.store().status(job_id)
    record = status.result or status.lease
    assert record is not None
    prefix = keys.attempt_prefix(job_id, record.epoch, record.nonce)
    machine.store().bucket.create(keys.log_chunk(prefix, number), text.encode())


@contextmanager
def lines_of(machine: Machine, *args: str) -> Iterator[Lines]:
    process = machine.start(*args)
    assert process.stdout is not None
    try:
        yield Lines(process.stdout)
        process.wait(PATIENCE_S)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


class Lines:
    """The lines that a process prints, waited for one by one."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: [self._lines.put(line.rstrip("\n")) for line in stream], daemon=True).start()

    def next(self) -> str:
        return self._lines.get(timeout=PATIENCE_S)


# -- ls


def test_ls_lists_the_oldest_first_and_filters(machine: Machine) -> None:
    first = machine.done(title="First", labels={"project": "docs"}, files={"a.bin": 1000})
    failed = machine.done(input={"fail": "no such luck"}, retry={"max_attempts": 1})
    waiting = machine.submit(idempotency_key="mine-v1", labels={"project": "docs"})

    lines = machine.run("ls").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", first.id, failed.id, waiting.id]
    assert "First" in lines[1] and "1 file, 1.0 kB" in lines[1]
    assert "engine: no such luck" in lines[2]
    assert "mine-v1" in lines[3]

    assert machine.run("ls", "-q", "--state", "failed", "--state", "queued").out.split() == [failed.id, waiting.id]
    assert machine.run("ls", "-q", "--label", "project=docs").out.split() == [first.id, waiting.id]
    assert machine.run("ls", "-q", "--kind", "tts.narrate").out == ""
    assert machine.run("ls", "-q", "--limit", "1").out.split() == [waiting.id]
    found = machine.run("ls", "--json", "--state", "succeeded").json
    assert [(one["id"], one["state"], one["labels"]) for one in found] == [(first.id, "succeeded", {"project": "docs"})]


def test_ls_mine_is_what_i_submitted(machine: Machine) -> None:
    (machine.home / "spec.json").write_text('{"kind": "echo", "input": {"message": "hi"}}')
    mine = machine.run("submit", "spec.json").out.strip()
    machine.submit()
    assert machine.run("ls", "-q", "--mine").out.split() == [mine]
    assert machine.run("ls", "-q", "--mine", env={"GPUJOB_SUBMITTED_BY": "somebody else"}).out == ""


def test_ls_shows_a_day_unless_asked_for_more(machine: Machine) -> None:
    old = machine.done(age_s=2 * 86400)
    active = machine.submit(age_s=2 * 86400)
    assert machine.run("ls", "-q").out.split() == [active.id]
    assert machine.run("ls", "-q", "--since", "3d").out.split() == sorted([old.id, active.id])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--state", "finished"], "succeeded"),
        (["--since", "yesterday"], "--since"),
        (["--label", "project"], "NAME=VALUE"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_ls_refuses_what_it_does_not_understand(machine: Machine, flags: list[str], says: str) -> None:
    ran = machine.here("ls", *flags)
    assert ran.code == 2
    assert says in ran.err


def test_ls_of_an_empty_queue_is_a_sentence_and_an_empty_array(machine: Machine) -> None:
    ran = machine.run("ls")
    assert (ran.code, ran.out) == (0, "")
    assert "no such jobs" in ran.err
    assert machine.run("ls", "--json").json == []


def test_ls_shows_no_control_characters(machine: Machine) -> None:
    job = machine.done(input={"fail": "red \x1b[31malert\x1b]0;title\x07"}, retry={"max_attempts": 1})
    for command in (["ls"], ["show", job.id]):
        assert "\x1b" not in machine.run(*command).out
        assert "\x07" not in machine.run(*command).out


def test_ls_watch_prints_a_line_for_each_change(machine: Machine) -> None:
    job = machine.submit()
    process = machine.start("ls", "--watch", "--json")
    try:
        assert process.stdout is not None
        lines = Lines(process.stdout)
        assert json.loads(lines.next())["state"] == "queued"
        machine.serve()
        after = json.loads(lines.next())
        if after["state"] == "running":  # it looked in between
            after = json.loads(lines.next())
        assert (after["id"], after["state"]) == (job.id, "succeeded")
    finally:
        process.kill()
        process.communicate()


# -- show


def test_show_says_why_a_job_waits(machine: Machine) -> None:
    job = machine.submit()
    assert "no live worker. Start one with `gpujob worker run`." in machine.run("show", job.id).out
    lives(machine, state="busy", job="another")
    other = machine.submit()
    ran = machine.run("show", other.id)
    assert "1 worker busy, you are 2nd" in ran.out
    found = machine.run("show", other.id, "--json").json
    assert found["reason"]["code"] == "workers_busy"
    assert found["spec"]["input"]["message"] == "hello"


def test_show_says_where_a_job_runs_and_how_far_it_is(machine: Machine) -> None:
    job = machine.submit()
    lives(machine, state="busy", job=job.id, machine={"gpu": "Tesla T4"})
    lease = held(machine)
    lease.report(Progress(done=3, total=12, message="step-03"))
    lease.beat()
    ran = machine.run("show", job.id)
    assert "running on w-1 (Tesla T4), step 3 of 12, step-03" in ran.out
    assert machine.run("show", job.id, "--exit-code").code == 101
    found = machine.run("show", job.id, "--json").json
    assert found["progress"]["done"] == 3
    assert found["eta_s"] > 0


def test_show_tells_the_whole_story_of_a_failed_job(machine: Machine) -> None:
    job = machine.submit(
        title="Doomed",
        idempotency_key="doomed-v1",
        input={"message": 1, "fail": "the engine says no"},
        retry={"max_attempts": 2, "backoff": {"initial": 0, "max": 0}},
    )
    machine.serve(worker="w-1")
    waiting = machine.run("show", "doomed-v1").out
    assert "attempt 1" in waiting and "on w-1: the engine says no" in waiting
    machine.serve(worker="w-2")
    ran = machine.run("show", "doomed-v1", "--exit-code")
    assert ran.code == 100
    for text in (job.id, "Doomed", "doomed-v1", "attempt 1", "on w-2", "engine: the engine says no", "finished"):
        assert text in ran.out
    found = machine.run("show", job.id, "--json").json
    assert [(past["attempt"], past["ended"], past["worker"]) for past in found["attempts"]] == [(1, "failed", "w-1")]
    assert found["error"]["type"] == "engine"


def test_show_lists_the_files_and_how_to_get_them(machine: Machine) -> None:
    job = machine.done(files={"audio/a.wav": 10, "b.txt": 2000})
    ran = machine.run("show", job.id[:14], "--exit-code")
    assert ran.code == 0
    assert "audio/a.wav  10 B" in ran.out and "b.txt  2.0 kB" in ran.out
    assert f"gpujob get {job.id}" in ran.out


@pytest.mark.parametrize("command", ["show", "logs", "get", "cancel", "retry"])
def test_an_unknown_job_is_102_with_the_next_command(machine: Machine, command: str) -> None:
    ran = machine.here(command, "nosuchjob")
    assert ran.code == 102
    assert "no job nosuchjob" in ran.err and "gpujob ls" in ran.err
    assert machine.here(command, "@last", "--json").error["exit_code"] == 102


def test_a_prefix_of_several_ids_is_a_conflict(machine: Machine) -> None:
    one, other = machine.submit(), machine.submit()
    common = next(one.id[:n] for n in range(26, 0, -1) if other.id.startswith(one.id[:n]))
    ran = machine.run("show", common)
    assert ran.code == 5
    assert "several ids" in ran.err


# -- logs


def test_logs_are_printed_in_order(machine: Machine) -> None:
    job = machine.submit()
    held(machine)
    ran = machine.run("logs", job.id)
    assert (ran.code, ran.out) == (0, "")
    assert "has written no log yet" in ran.err
    for number in range(12):
        log_chunk(machine, job.id, number, f"line {number}\n")
    assert machine.run("logs", job.id).out == "".join(f"line {number}\n" for number in range(12))
    last = machine.run("logs", job.id, "--json").out.splitlines()[-1]
    assert json.loads(last) == {"id": job.id, "attempt": 1, "text": "line 11\n"}


def test_logs_of_an_earlier_attempt(machine: Machine) -> None:
    job = machine.submit(
        input={"message": 1, "fail": "no"}, retry={"max_attempts": 2, "backoff": {"initial": 0, "max": 0}}
    )
    machine.serve()
    log_chunk(machine, job.id, 0, "from the first\n")
    machine.serve()
    log_chunk(machine, job.id, 0, "from the second\n")
    assert machine.run("logs", job.id).out == "from the second\n"
    assert machine.run("logs", job.id, "--attempt", "1").out == "from the first\n"
    assert machine.run("logs", job.id, "--attempt", "2").out == "from the second\n"
    assert machine.run("logs", job.id, "--attempt", "3").code == 102


def test_logs_follow_until_the_end(machine: Machine) -> None:
    job = machine.submit()
    lease = held(machine)
    log_chunk(machine, job.id, 0, "first\n")
    with lines_of(machine, "logs", "-f", job.id) as lines:
        assert lines.next() == "first"
        log_chunk(machine, job.id, 1, "second\n")
        assert lines.next() == "second"
        log_chunk(machine, job.id, 2, "third\n")
        machine.store().cancel(job.id)
        assert lines.next() == "third"
    assert machine.run("logs", lease.id).out == "first\nsecond\nthird\n"


def test_how_often_a_job_was_given_back_was_missing_in_its_json(machine: Machine) -> None:
    job_id = machine.store().submit({"kind": "echo", "input": {}}).id
    held(machine).release()
    assert machine.here("show", job_id, "--json").json["releases"] == 1
    machine.serve()
    assert machine.here("show", job_id, "--json").json["releases"] == 1
