"""An executor in a child process: whatever the child does, the attempt ends rightly and the worker serves on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from gpujob import settings
from gpujob.buckets.memory import MemoryBucket
from gpujob.records import Manifest, QueueConfig, Result
from gpujob.specs import parse_object
from gpujob.store import JobStore
from gpujob_worker.children.child import Child
from gpujob_worker.children.executor import GRACE_S, ChildExecutor
from gpujob_worker.children.output import Output
from gpujob_worker.context import AttemptContext
from gpujob_worker.worker import Limits, Worker
from tests.fake_job import FakeJob
from tests.unit.children.victims import Victim

TARGET = "tests.unit.children.victims:Victim"
ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 10.0  # with a machine that has other things to do


class Served:
    """A queue in memory, and a worker that runs one job a call."""

    def __init__(self) -> None:
        self.store = JobStore(MemoryBucket())
        self.executor = ChildExecutor(TARGET, Victim())

    def submit(self, do: str, **more: Any) -> str:
        spec = {"kind": "test.victim", "input": {"do": do}, "retry": {"max_attempts": 1}, **more}
        return self.store.submit(parse_object(spec, known_kinds=Victim.kinds)).id

    def worker(self) -> Worker:
        worker = Worker(
            self.store, [self.executor], worker_id="w", limits=Limits(once=True), presence_every_s=None,
            sweep_every_s=None, secrets={"HF_TOKEN": "hf_123"},
        )  # fmt: skip
        worker._roster.close = lambda: None  # type: ignore[method-assign]  # the child outlives this worker
        return worker

    def run(self, do: str, **more: Any) -> Result:
        job_id = self.submit(do, **more)
        assert self.worker().run().jobs == 1
        result = self.store.result(job_id)
        assert result is not None
        return result

    def log(self, result: Result) -> str:
        prefix = f"artifacts/{result.id}/"
        keys = [e.key for e in self.store.bucket.list(prefix).entries if "/log" in e.key]
        found = [self.store.bucket.get(key) for key in sorted(keys)]
        return "".join(one.body.decode() for one in found if one is not None)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.executor.close()


def gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody has reaped yet counts)."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_the_whole_context_works_through_the_pipe(served: Served) -> None:
    result = served.run("work", secrets=["HF_TOKEN"])
    assert result.state == "succeeded", result.error
    assert result.output["secrets"] == {"HF_TOKEN": "[secret HF_TOKEN]"}  # the child had the value: it was taken out
    assert result.output["pid"] != os.getpid()
    assert [one.name for one in result.artifacts] == ["out/file.txt"]
    assert list(result.warnings) == ["warned", "a word of warning"]
    assert result.engine["name"] == "victim"
    log = served.log(result)
    assert all(line in log for line in ("a line", "printed", "complained", "warning: warned"))


def test_the_child_stays_warm_from_job_to_job(served: Served) -> None:
    first, second = served.run("nothing"), served.run("nothing")
    assert first.output["pid"] == second.output["pid"]
    assert (second.output["loads"], second.output["runs"]) == (2, 2)


def test_it_gives_no_credentials_to_the_child(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("HF_TOKEN", "hidden")
    monkeypatch.setenv("GPUJOB_ALLOW_SECRETS", "HF_TOKEN")
    served.run("nothing")
    assert served.executor._child is not None
    environment = Path(f"/proc/{served.executor._child.pid}/environ").read_bytes()
    assert b"hidden" not in environment
    assert b"GPUJOB_ALLOW_SECRETS=HF_TOKEN" in environment


def test_an_allowed_secret_that_no_rule_knows_by_its_name_is_not_in_the_childs_environment(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong: names were told by a pattern alone, so DB_URL stood in the environment of every job."""
    monkeypatch.setattr(settings, "_WITHHELD", set(settings._WITHHELD))
    monkeypatch.setenv("DB_URL", "postgres://hidden")
    settings.withhold(("DB_URL",))
    served.run("nothing")
    assert served.executor._child is not None
    environment = Path(f"/proc/{served.executor._child.pid}/environ").read_bytes()
    assert b"DB_URL" not in environment and b"hidden" not in environment


@pytest.mark.parametrize(
    ("do", "kind", "words"),
    [
        ("raise", "engine", "RuntimeError: broke in the middle"),
        ("fail", "invalid_input", "the input is odd"),
        ("segfault", "engine", "SIGSEGV"),
        ("exit", "engine", "exit code 3"),
        ("killed", "engine", "SIGKILL"),
        ("eat memory", "out_of_memory", "out of memory"),
        ("load fails", "model_not_found", "no such model"),
        ("write elsewhere", "engine", "outside its folder"),
        ("twice", "engine", "two files called a"),
        ("huge", "engine", "died"),
        ("fall silent", "engine", "died"),
        ("stop itself", "engine", "nobody had told it"),
    ],
)
def test_grief_ends_the_attempt_and_not_the_worker(served: Served, do: str, kind: str, words: str) -> None:
    result = served.run(do)
    assert result.state == "failed"
    assert result.error is not None
    assert (result.error.type, words in result.error.message) == (kind, True), result.error
    assert served.run("nothing").state == "succeeded"


@pytest.fixture
def slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """The output of a child is read only once somebody waits for it: as on a machine with much else to do."""
    read, catch_up = Output.read, Output.catch_up
    waited_for = threading.Event()

    def late(output: Output) -> None:
        waited_for.wait()
        read(output)

    def wait(output: Output) -> None:
        waited_for.set()
        catch_up(output)

    monkeypatch.setattr(Output, "read", late)
    monkeypatch.setattr(Output, "catch_up", wait)


@pytest.mark.usefixtures("slow_reader")
def test_what_a_job_wrote_last_is_in_its_own_log(served: Served) -> None:
    """It was lost, or stood in the next job's log, where the answer was read before the output."""
    result = served.run("speak")
    assert served.log(result).splitlines()[-3:] == ["first", "", "last, without an end"]


@pytest.mark.usefixtures("slow_reader")
def test_the_last_words_of_a_crash_that_nobody_has_read_yet_are_kept(served: Served) -> None:
    assert "last words" in served.log(served.run("segfault"))


def test_a_jobs_secret_is_in_no_other_jobs_log(served: Served) -> None:
    """A child may write it later: it was taken out of the log of the job that was handed it, and of no other."""
    served.run("keep its secrets", secrets=["HF_TOKEN"])
    log = served.log(served.run("write what was kept"))
    assert "kept: {'HF_TOKEN': '[secret HF_TOKEN]'}" in log


def test_a_job_that_closes_its_output_holds_nobody_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpujob_worker.children.output.CATCH_UP_S", 0.1)
    assert served.run("close its output").state == "succeeded"
    assert served.run("nothing").state == "succeeded"


def test_the_last_words_of_a_crash_are_kept(served: Served) -> None:
    result = served.run("segfault")
    assert result.error is not None
    assert "last words" in (result.error.traceback or "")
    assert "last words" in served.log(result)


def test_a_kill_that_the_memory_killer_counted_is_called_by_its_name(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([7, 8])
    monkeypatch.setattr("gpujob_worker.children.child.memory_kills", lambda: next(counts))
    result = served.run("killed")
    assert result.error is not None
    assert (result.error.type, "kernel" in result.error.message) == ("out_of_memory", True)


def test_a_hanging_job_ends_by_its_timeout_and_leaves_nothing_behind(served: Served) -> None:
    served.run("nothing")  # its start is not to use up the time
    result = served.run("hang", timeout=5)
    assert result.error is not None
    assert result.error.type == "timeout"
    sleeper = next(line.split()[1] for line in served.log(result).splitlines() if line.startswith("sleeper"))
    with suppress(ProcessLookupError):  # it has gone already
        _wait_for_end(os.pidfd_open(int(sleeper)))
    assert gone(int(sleeper))
    assert served.run("nothing").output["runs"] == 1, "it was a fresh child"


def test_a_load_that_hangs_ends_by_the_timeout_too(served: Served) -> None:
    result = served.run("load hangs", timeout=1)
    assert result.error is not None
    assert result.error.type == "timeout"


def test_a_child_that_never_comes_to_life_ends_by_the_timeout_however_long_the_order(served: Served) -> None:
    served.executor = ChildExecutor("tests.unit.children.victims:Slow", Victim())
    result = served.run("nothing" + " " * 200_000, timeout=1)
    assert result.error is not None
    assert result.error.type == "timeout"


def test_a_job_that_obeys_is_stopped_and_its_child_stays_warm(served: Served) -> None:
    pid = served.run("nothing").output["pid"]
    result = served.run("obey", timeout=1)
    assert result.error is not None
    assert result.error.type == "timeout"
    assert served.run("nothing").output["pid"] == pid


def test_an_answer_that_is_there_is_not_stopped_any_more(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = FakeJob(tmp_path, {"do": "nothing"})
    heard = Child.next

    def cancelled_with_the_answer(child: Child, timeout_s: float) -> dict[str, Any] | None:
        message = heard(child, timeout_s)
        if message is not None and message["op"] == "done":
            job.checks_left = 0
        return message

    monkeypatch.setattr(Child, "next", cancelled_with_the_answer)
    pid = served.executor.run(job).output["pid"]
    assert served.executor._child is not None and served.executor._child.pid == pid


def test_a_job_that_is_given_back_stops_in_its_child(served: Served) -> None:
    job_id = served.submit("obey", timeout=600)
    started = threading.Event()
    worker = served.worker()
    worker._on_event = lambda event, _: started.set()
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert started.wait(30)
    while served.store.status(job_id).lease is None:
        pass
    worker.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert served.store.status(job_id).state == "queued"


def test_a_cancel_through_the_bucket_ends_a_deaf_job_with_all_that_it_has_started(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: Queue[str] = Queue()
    monkeypatch.setattr(AttemptContext, "log", lambda self, text: said.put(text))
    served.store = JobStore(MemoryBucket(), config=QueueConfig(ttl_s=3.0, beat_s=0.2))
    job_id = served.submit("hang", timeout=600)
    worker = served.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        sleeper = int(said.get(timeout=30).split()[1])
        watched = os.pidfd_open(sleeper)
        served.store.cancel(job_id)
        _wait_for_end(watched, within_s=3.0 + GRACE_S + PATIENCE_S)
        assert gone(sleeper)
    finally:
        worker.stop()
        thread.join(30)
    assert not thread.is_alive()
    assert (served.store.status(job_id).state, dict(worker.summary.endings)) == ("cancelled", {"dropped": 1})
    assert served.run("nothing").output["runs"] == 1, "it was a fresh child"


def test_a_flood_costs_lines_and_nothing_else(served: Served) -> None:
    result = served.run("flood")
    assert result.state == "succeeded"
    assert "lines left out" in served.log(result)
    assert len(served.log(result)) < 2**20


def test_the_device_is_found_in_the_child(served: Served) -> None:
    found = served.executor.device()
    assert (found.name, found.warning) == ("cpu", "a warning")


HOLD = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from gpujob_worker.children.child import Child
child = Child({TARGET!r})
assert child.next(30)["op"] == "ready"
job = dict(id="j", kind="test.victim", input=dict(do="hang"), attempt=1, files={{}}, workdir="/tmp", secrets={{}})
child.send(dict(op="run", job=job))
said = child.next(30)["text"]
print(child.pid, said.split()[1], flush=True)
time.sleep(600)
"""


def test_a_worker_that_is_killed_takes_its_child_and_its_processes_along() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True, cwd=ROOT) as worker:
        assert worker.stdout is not None
        child, sleeper = map(int, worker.stdout.readline().split())
        watched = [os.pidfd_open(pid) for pid in (child, sleeper)]
        worker.send_signal(signal.SIGKILL)
    for pid, descriptor in zip((child, sleeper), watched, strict=True):
        _wait_for_end(descriptor)
        assert gone(pid)


def _wait_for_end(descriptor: int, within_s: float = 20.0) -> None:
    import select

    ready, _, _ = select.select([descriptor], [], [], within_s)
    assert ready, "the process still runs"


@pytest.mark.parametrize(
    ("do", "ran_out"), [("eat memory", True), ("segfault", False), ("nothing", False), ("fail", False)]
)
def test_the_roster_hears_that_a_child_is_gone_and_whether_for_want_of_memory(
    served: Served, do: str, ran_out: bool
) -> None:
    """It went on saying that the models of a child that was dead were warm."""
    worker = served.worker()
    served.submit(do)
    worker.run()
    warm = ((), ()) if do in ("eat memory", "segfault") else (("test.victim",), ("weights",))
    assert worker._roster.warm() == warm
    assert served.executor.ran_out is ran_out
    served.run("nothing")
    assert not served.executor.ran_out


def test_a_kill_by_the_memory_killer_is_want_of_memory_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([7, 8])
    monkeypatch.setattr("gpujob_worker.children.child.memory_kills", lambda: next(counts))
    served.run("killed")
    assert served.executor.ran_out and not served.executor.is_warm()


def test_a_child_that_died_while_it_had_nothing_to_do_costs_no_attempt(served: Served) -> None:
    pid = served.run("nothing").output["pid"]
    watched = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    _wait_for_end(watched)
    assert not served.executor.is_warm()
    result = served.run("nothing")
    assert (result.state, result.output["runs"]) == ("succeeded", 1)


def test_close_ends_the_process() -> None:
    child = Child(TARGET)
    assert child.next(30) == {"op": "ready"}
    child.close()
    assert gone(child.pid)
    with pytest.raises(EOFError, match="exit code 0"):
        child.next(1)


def test_a_job_of_unknown_secrets_is_left_alone(served: Served) -> None:
    served.submit("nothing", secrets=["AWS_SECRET_ACCESS_KEY"])
    assert served.worker().run().jobs == 0
    assert isinstance(next(iter(served.store.jobs())).manifest, Manifest | None)
