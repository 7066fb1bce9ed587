"""Why a job waits: each of the reasons that `wait` and `show` give, from records alone."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gpujob.buckets.memory import MemoryBucket
from gpujob.clock import SYSTEM
from gpujob.ids import new_id
from gpujob.protocol.context import Context
from gpujob.protocol.status import Status, of_lease, of_result
from gpujob.records import JobError, Lease, Manifest, Presence, Progress, Result
from gpujob.why import MANY, Reason, eta_s, jobs_ahead, rivals, why

NOW = 10_000.0
ID = "01k8xq3v0000000000000000a0"
GB = 10**9


def manifest(**fields: Any) -> Manifest:
    given = {"id": ID, "kind": "tts.narrate", "spec": {}, "spec_sha256": "0", "created_at": 1.0, "nonce": "n"}
    return Manifest(**{**given, **fields})


def pending(**fields: Any) -> Status:
    return Status(ID, "queued", pending=manifest(**fields), pending_since=NOW - 5)


def leased(*, modified: float = NOW - 1, **fields: Any) -> Status:
    given: dict[str, Any] = {
        "id": ID,
        "manifest": manifest(),
        "state": "run",
        "worker": "w1",
        "nonce": "n",
        "epoch": 1,
        "attempt": 1,
        "ttl_s": 30,
        "beat_s": 10,
        "expires_at": NOW + 1000,
        "started_at": NOW - 60,
    }
    return of_lease(Lease(**{**given, **fields}), modified)


def worker(name: str = "w1", **fields: Any) -> tuple[Presence, float]:
    given: dict[str, Any] = {"id": name, "session": "s", "started_at": 1.0, "kinds": ("tts.narrate", "echo")}
    return Presence(**{**given, **fields}), 1.0


def reason(status: Status, *workers: tuple[Presence, float], ahead: int | None = None) -> Reason:
    return why(status, workers, now=NOW, ahead=ahead)


def test_no_live_worker() -> None:
    found = reason(pending(), ahead=0)
    assert (found.code, found.text) == ("no_worker", "no live worker")
    assert "gpujob worker run" in found.hint


def test_no_worker_serves_this_kind() -> None:
    found = reason(pending(kind="image.generate"), worker(), worker("w2"))
    assert found.code == "no_worker_for_kind"
    assert found.text == "no live worker serves image.generate; 2 live workers serve other kinds"


@pytest.mark.parametrize("machine", [{}, {"gpu_memory": 6 * GB}, {"gpu_memory": None}, {"gpu_memory": "rubbish"}])
def test_no_worker_has_the_memory(machine: dict[str, Any]) -> None:
    found = reason(pending(requires={"gpu_memory": 8 * GB}), worker(machine=machine), worker("w2"))
    assert found.code == "no_worker_fits"
    assert found.text.startswith("no worker has 8.0 GB of GPU memory")


def test_one_worker_with_the_memory_is_enough() -> None:
    found = reason(pending(requires={"gpu_memory": 8 * GB}), worker(), worker("w2", machine={"gpu_memory": 16 * GB}))
    assert found.code == "starting"


@pytest.mark.parametrize(
    ("ahead", "place"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (21, "22nd"), (112, "113th")]
)
def test_workers_are_busy_and_this_is_your_place(ahead: int, place: str) -> None:
    found = reason(pending(), worker(state="busy", job="x"), worker("w2", state="busy"), ahead=ahead)
    assert (found.code, found.text) == ("workers_busy", f"all 2 workers busy, you are {place}")


def test_an_idle_worker_starts_it_in_a_moment() -> None:
    found = reason(pending(), worker(warm=("tts.narrate",)), ahead=0)
    assert found == Reason("starting", "1 worker live (w1, warm for tts.narrate); it starts in a moment")


def test_an_idle_worker_with_others_before() -> None:
    assert reason(pending(), worker(), ahead=4).text == "1 worker live (w1), you are 5th"


def test_its_only_worker_is_loading() -> None:
    found = reason(pending(), worker(state="loading"), ahead=0)
    assert (found.code, found.text) == ("loading", "the worker w1 is loading a model, you are 1st")


@pytest.mark.parametrize("leaving", [{"state": "draining"}, {"state": "busy", "control": "drain"}])
def test_every_worker_is_leaving(leaving: dict[str, Any]) -> None:
    assert reason(pending(), worker(**leaving)).code == "draining"


def test_backing_off_after_an_error() -> None:
    error = JobError(type="engine", message="CUDA error\nmore lines")
    status = leased(state="wait", not_before=NOW + 12, error=error, failures=1)
    found = reason(status, worker())
    assert found.code == "backing_off"
    assert found.text == "backing off after an error (CUDA error), 12s left; attempt 2 follows"
    assert found.lasting == "backing off after an error (CUDA error); attempt 2 follows"


def test_a_due_wait_is_like_any_other() -> None:
    status = leased(state="wait", not_before=NOW - 1)
    assert reason(status, worker(state="busy")).code == "workers_busy"
    assert reason(status).code == "no_worker"


def test_its_worker_vanished() -> None:
    found = reason(leased(modified=NOW - 26), worker("w2"))
    assert found.code == "worker_vanished"
    assert found.text == "its worker w1 has not been heard of for 26 s; another takes over in about 9 s"


def test_its_worker_vanished_and_there_is_no_other() -> None:
    found = reason(leased(modified=NOW - 300), worker("w1"), worker("w2", kinds=("echo",)))
    assert "no other live worker" in found.text and "gpujob worker run" in found.hint


@pytest.mark.parametrize("silent_s", [0, 10, 25])
def test_a_beat_or_two_late_is_no_loss(silent_s: float) -> None:
    assert reason(leased(modified=NOW - silent_s), worker("w2")).code == "running"


def test_the_worker_loads_a_model() -> None:
    assert reason(leased(progress=Progress(phase="load")), worker()).code == "loading"
    assert reason(leased(), worker(state="loading")).text == "w1 is loading a model"


def test_running_says_where_and_how_far() -> None:
    status = leased(progress=Progress(done=6, total=12, message="step-06"), started_at=NOW - 30)
    found = reason(status, worker(machine={"gpu": "Tesla T4"}))
    assert found == Reason("running", "running on w1 (Tesla T4), step 6 of 12, step-06, about 30s left")


def test_running_on_a_worker_that_is_not_listed() -> None:
    assert reason(leased()).text == "running on w1"


def test_ended_is_its_state() -> None:
    assert reason(of_result(Result(id=ID, kind="echo", state="failed", nonce="n"))) == Reason("ended", "failed")


@pytest.mark.parametrize(
    ("done", "total", "phase", "running_s", "left_s"),
    [
        (1, 4, "run", 10, 30),
        (4, 4, "run", 10, 0),
        (0, 4, "run", 10, None),
        (1, 4, "load", 10, None),
        (1, 0, "run", 10, None),
    ],
)
def test_eta_goes_on_at_the_same_pace(
    done: float, total: float, phase: str, running_s: float, left_s: float | None
) -> None:
    assert eta_s(Progress(done=done, total=total, phase=phase), running_s=running_s) == left_s


def test_eta_of_nonsense_is_unknown() -> None:
    assert eta_s(Progress(done=5, total=4), running_s=1) is None
    assert eta_s(Progress(done=0, total=4), running_s=1) is None
    assert eta_s(Progress(done=1, total=4), running_s=-1) is None
    assert eta_s(Progress(done=1e-320, total=1e12), running_s=1) is None


def queue_of(*jobs: tuple[str, str, str]) -> Context:
    bucket = MemoryBucket()
    for level, job_id, kind in jobs:
        bucket.create(f"pending/{level}/{job_id}.{kind}.json", b"{}")
    return Context(bucket, SYSTEM, random.Random(1))


def test_jobs_ahead_are_the_higher_and_the_older() -> None:
    rng = random.Random(1)
    old, mine, young = (new_id(moment, rng) for moment in (1000.0, 2000.0, 3000.0))
    ctx = queue_of(
        ("1", young, "echo"),
        ("5", old, "echo"),
        ("5", mine, "tts.narrate"),
        ("5", young, "echo"),
        ("9", old, "echo"),
        ("5", "foreign", "echo"),
    )
    assert jobs_ahead(ctx, manifest(id=mine)) == 2
    assert jobs_ahead(ctx, manifest(id=mine, priority="high")) == 0
    assert jobs_ahead(ctx, manifest(id=mine, priority="low")) == 4
    assert jobs_ahead(ctx, manifest(id=mine), kinds={"tts.narrate"}) == 0


def test_jobs_ahead_never_exceed_the_bound() -> None:
    rng = random.Random(1)
    ctx = queue_of(*(("1", new_id(float(n), rng), "echo") for n in range(MANY + 5)))
    found = jobs_ahead(ctx, manifest())
    assert found == MANY
    assert "you are behind 1000 others or more" in reason(pending(), worker(state="busy"), ahead=found).text


def test_rivals_are_the_kinds_of_its_own_workers() -> None:
    workers = [worker(), worker("w2", kinds=("image.generate",))]
    assert rivals(manifest(), workers) == {"tts.narrate", "echo"}
