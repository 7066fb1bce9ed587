"""`--fallback local` on a real server: where no worker lives, the machine that waits does the job, and that job alone."""

from __future__ import annotations

import json
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

NAME = "seaweedfs"
URL = "s3://gpujob/fallback"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    require_or_skip(NAME, HOW[NAME], there=find(NAME) is not None)
    with servers.running(NAME) as started:
        yield started


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> JobStore:
    """An empty queue of the test's own."""
    for name, value in server.environment(url(tmp_path)).items():
        monkeypatch.setenv(name, value)
    made = JobStore(open_bucket(url(tmp_path)))
    queue.save(made.context, QueueConfig(created_at=1.0))
    return made


@pytest.fixture
def person(tmp_path: Path, server: Server, store: JobStore) -> Person:
    made = Person(tmp_path)
    made.env |= server.environment(url(tmp_path))
    return made


def url(tmp_path: Path) -> str:
    return f"{URL}/{tmp_path.name}"


def echo(person: Person, name: str, **more: object) -> Path:
    return person.write(f"{name}.json", {"kind": "echo", "input": {"message": name}, **more})


def test_the_waiting_machine_does_the_job_and_no_other(person: Person, store: JobStore) -> None:
    other = store.submit({"kind": "echo", "input": {"message": "an older one"}})
    done = person.run("submit", echo(person, "mine"), "--wait", "--fallback", "local", "--fallback-after", "1s")
    assert done.code == 0, done.err
    assert "no live worker for 1s, so this machine does it" in done.err
    assert store.status(other.id).state == "queued"
    assert [presence.id for presence, _ in store.workers()] == []


def test_a_spec_may_ask_for_it(person: Person) -> None:
    spec = echo(person, "spec", fallback="local", fallback_after="1s")
    assert person.run("submit", spec, "--wait").code == 0


def test_without_wait_it_says_when_it_takes_effect(person: Person) -> None:
    done = person.run("submit", echo(person, "later"), "--fallback", "local")
    assert done.code == 0
    assert f"takes effect while somebody waits: `gpujob wait {done.out.strip()}`" in done.err


def test_wait_takes_over_what_was_submitted_before(person: Person, store: JobStore) -> None:
    job = store.submit({"kind": "echo", "input": {"message": "waiting"}})
    done = person.run("wait", job.id, "--fallback", "local", "--fallback-after", "1s", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["output"] == {"message": "waiting"}


def test_wait_does_what_the_spec_asks_for(person: Person) -> None:
    """`wait` heard of a fallback by its own flag alone, and took two minutes where the spec said a second."""
    job = person.run("submit", echo(person, "asks", fallback="local", fallback_after="1s")).out.strip()
    done = person.run("wait", job, "--timeout", "60s")
    assert done.code == 0, done.err
    assert "no live worker for 1s, so this machine does it" in done.err


def test_a_kind_that_nothing_here_can_do_goes_on_waiting(person: Person) -> None:
    spec = person.write("odd.json", {"kind": "odd.kind", "input": {}})
    done = person.run(
        "submit", spec, "--allow-unknown-kind", "--fallback", "local", "--fallback-after", "1s"
    )  # fmt: skip
    waited = person.run("wait", done.out.strip(), "--fallback", "local", "--fallback-after", "1s", "--timeout", "4s")
    assert waited.code == 124, waited.err
    assert "nothing that is installed here can" in waited.err


def test_a_word_that_is_neither_is_refused(person: Person) -> None:
    assert person.run("wait", "@last", "--fallback", "remote").code == 2
