"""gs:// from end to end on our own imitation of Google Cloud Storage, as strict as it can be and in real time.

By the command line with an HMAC key and with a login, and with workers whose requests fail.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpujob.buckets.failing import FailingBucket
from gpujob.buckets.opening import open_bucket
from gpujob.buckets.retrying import RetryingBucket
from gpujob.chance import Random, system_random
from gpujob.clock import SYSTEM
from gpujob.store import JobStore
from gpujob_worker import EchoExecutor, Worker
from tests.acceptance import chaos
from tests.acceptance.command_line import Person
from tests.google.imitation import BUCKET, Imitation, imitation
from tests.google.metadata import compute_engine
from tests.sizing import only_at_full_size, pick

URL = f"gs://{BUCKET}/team/queue"
PLAN = chaos.Plan(ttl_s=6.0, beat_s=2.0)


@pytest.fixture
def strict() -> Iterator[Imitation]:
    with imitation() as served:
        yield served


def lead_to(served: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in served.by_key.items():
        monkeypatch.setenv(name, value)


@pytest.mark.timeout(400)
def test_a_job_by_the_command_line(tmp_path: Path, strict: Imitation) -> None:
    person = Person(tmp_path)
    person.env |= strict.by_login(tmp_path) | {"GPUJOB_STORE": f"gs://{BUCKET}/by-login"}
    too_often = person.run("init", "--beat", "1s", "--ttl", "6s")
    assert (
        too_often.code == 2
        and "one write of an object a second" in too_often.err
        and "2s is the least" in too_often.err
    )
    only_at_full_size("a probe of gs:// in real time takes half a minute")
    made = person.run("init", "--beat", "2s", "--ttl", "6s")
    assert made.code == 0 and "the queue is ready: ttl 6s, beat 2s" in made.err, made.err
    assert "(soft delete)" in made.err and "--clear-soft-delete" in made.err
    spec = {"kind": "echo", "input": {"message": "hi", "artifacts": [{"name": "a.bin", "bytes": 3000}]}}
    job_id = person.run("submit", person.write("job.json", spec)).lines[0]
    key = {**strict.by_key, "GOOGLE_APPLICATION_CREDENTIALS": ""}
    assert person.run("worker", "run", "--once", "--kinds", "echo", **key).code == 0
    waited = person.run("wait", job_id, "-o", "out")
    assert waited.code == 0 and (person.work / "out" / "a.bin").stat().st_size == 3000, waited.err


def test_a_bucket_is_made_in_a_project_or_not_at_all(tmp_path: Path, strict: Imitation) -> None:
    strict.service.default_project = False
    person = Person(tmp_path)
    person.env |= strict.by_key
    done = person.run("init", "gs://not-there-yet/queue", "--json")
    assert done.code == 3
    assert "gcloud storage buckets create gs://not-there-yet" in done.error["hint"]
    assert "not-there-yet" not in strict.service.buckets


def test_without_a_key_or_a_login_it_is_3_and_says_both_ways(tmp_path: Path, strict: Imitation) -> None:
    person = Person(tmp_path)
    person.env |= {"GPUJOB_GCS_ENDPOINT": strict.endpoint, "NO_GCE_CHECK": "true"}
    done = person.run("ls", "--store", URL, "--json")
    assert (done.code, done.error["type"]) == (3, "Denied")
    assert "gcloud storage hmac create" in done.error["hint"] and "application-default login" in done.error["hint"]


def test_a_compute_engine_machine_needs_no_key(tmp_path: Path, strict: Imitation) -> None:
    """google-auth asks the machine's own service with a package that its extra for urllib3 does not bring."""
    person = Person(tmp_path)
    person.env |= {"GPUJOB_GCS_ENDPOINT": strict.endpoint, "GPUJOB_STORE": URL}
    del person.env["NO_GCE_CHECK"]
    with compute_engine(strict.service.tokens) as machine:
        missing = person.run("ls", "--json", **machine)
    assert (missing.code, missing.error["type"]) == (3, "NotInitialised"), missing.err
    assert "google" not in missing.err.lower(), "nothing of what was tried is told"
    assert any(asked.headers["authorization"].startswith("Bearer imitated-token-") for asked in strict.seen)


@pytest.mark.timeout(400)
def test_jobs_come_through_while_one_request_in_ten_fails(strict: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    lead_to(strict, monkeypatch)
    store = chaos.make_queue(URL, PLAN)
    ids = [store.submit({"kind": "echo", "input": {"message": number}}).id for number in range(pick(6, 20))]
    faults: Counter[tuple[str, str]] = Counter()
    committed: Counter[str] = Counter()

    def hear(event: str, job_id: str) -> None:
        committed[job_id] += event == "succeeded"

    def worker(number: int) -> Worker:
        failing = FailingBucket(open_bucket(URL), Random(number), 0.05, 0.05)
        failing.faults = faults
        patient = JobStore(RetryingBucket(failing, SYSTEM, system_random()), config=store.config)
        return Worker(patient, [EchoExecutor()], worker_id=f"w-{number}", on_event=hear)

    workers = [worker(number) for number in range(3)]
    threads = [threading.Thread(target=one.run) for one in workers]
    for thread in threads:
        thread.start()
    try:
        messages = [store.wait(job_id, timeout_s=300.0).output["message"] for job_id in ids]
    finally:
        for one in workers:
            one.drain()
        for thread in threads:
            thread.join(60)
    assert messages == list(range(len(ids)))
    assert faults and max(committed.values()) == 1, f"{faults} {committed}"
