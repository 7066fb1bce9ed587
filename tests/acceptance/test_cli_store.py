"""The command line on a real server: what is said when the store is wrong, refuses, or goes away for a while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from localstack import servers
from localstack.programs import HOW, find
from localstack.servers import Server

from gpujob import QueueConfig, queue
from gpujob.buckets.opening import open_bucket
from gpujob.store import JobStore
from tests.sizing import require_or_skip

from .command_line import Person

NAME = "minio" if find("minio") is not None else "seaweedfs"
URL = "s3://gpujob/cli"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, since a test stops it."""
    require_or_skip(NAME, HOW[NAME], there=find(NAME) is not None)
    started = servers.start(NAME)
    yield started
    started.stop()


@pytest.fixture
def person(tmp_path: Path, server: Server) -> Person:
    """Somebody whose environment leads to the server."""
    made = Person(tmp_path)
    made.env |= server.environment(URL)
    return made


@pytest.fixture
def job(person: Person) -> Path:
    return person.write("one.json", {"kind": "echo", "input": {"message": "hi"}})


@pytest.fixture
def initialised(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has its queue.json."""
    for name, value in server.environment(URL).items():
        monkeypatch.setenv(name, value)
    store = JobStore(open_bucket(URL))
    queue.save(store.context, QueueConfig(created_at=1.0))


def test_a_bucket_that_is_no_queue_is_3_and_names_init(person: Person, job: Path) -> None:
    done = person.run("submit", job, "--store", "s3://gpujob/nothing-here", "--json")
    assert (done.code, done.out, done.error["type"]) == (3, "", "NotInitialised")
    assert "gpujob init s3://gpujob/nothing-here" in done.error["hint"]


def test_no_such_bucket_is_3(person: Person, job: Path) -> None:
    done = person.run("submit", job, "--store", "s3://no-such-bucket-here", "--json")
    assert (done.code, done.out) == (3, "")
    assert "no-such-bucket-here" in done.error["message"]


def test_wrong_credentials_are_3(person: Person, job: Path) -> None:
    done = person.run("submit", job, "--json", AWS_SECRET_ACCESS_KEY="not the one")
    assert (done.code, done.out, done.error["type"]) == (3, "", "Denied")
    assert "not the one" not in done.err


@pytest.mark.usefixtures("initialised")
def test_a_job_goes_through_the_server(person: Person, job: Path) -> None:
    submitted = person.run("submit", job)
    assert submitted.code == 0
    assert person.run("worker", "run", "--once", "--kinds", "echo").code == 0
    assert person.run("wait", submitted.out.strip()).lines == [f"{submitted.out.strip()}  succeeded"]


@pytest.mark.usefixtures("initialised")
def test_a_store_that_goes_away_while_somebody_waits_loses_nothing(person: Person, job: Path, server: Server) -> None:
    job_id = person.run("submit", job).out.strip()
    with person.running("wait", job_id) as waiting:
        waiting.wait_for("no live worker")
        server.stop(keep=True)
        waiting.wait_for("the store does not answer")
        server.start()
        assert person.run("worker", "run", "--once", "--kinds", "echo").code == 0
        waiting.wait_for("succeeded in")
        assert waiting.process.wait(30) == 0


@pytest.mark.usefixtures("initialised")
def test_a_remote_store_is_not_served_by_this_machine(person: Person) -> None:
    done = person.run("echo", "hello", "--timeout", "0.5s")
    assert done.code == 124 and "no live worker" in done.err
    person.run("cancel", "@last")
