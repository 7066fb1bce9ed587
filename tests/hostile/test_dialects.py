"""Stores that answer otherwise: those that can be trusted carry a job, those that cannot are refused by `gpujob init`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gpujob import JobStore, open_store
from gpujob.keys import DONE
from gpujob_cli.app import run
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker
from tests.sizing import only_at_full_size, pick

from .dialects import Dialect, Store, dialect_server

URL = "s3://queue/here"

Open = Callable[[Dialect], Store]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """Starts a server of a dialect, to which the environment leads from then on."""
    with ExitStack() as stack:

        def start(dialect: Dialect) -> Store:
            environment, store = stack.enter_context(dialect_server(dialect))
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            return store

        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        monkeypatch.chdir(tmp_path)
        yield start


def a_whole_job(store: JobStore, message: str = "hi") -> None:
    job_id = store.submit({"kind": "echo", "input": {"message": message}}).id
    limits = Limits(max_jobs=1, idle_exit_s=60.0)
    Worker(store, [EchoExecutor()], worker_id="w", limits=limits, sweep_every_s=None).run()
    result = store.wait(job_id, timeout_s=60.0)
    assert (result.state, result.attempt, result.output) == ("succeeded", 1, {"message": message})


def queue_json(store: Store) -> dict[str, object]:
    found: dict[str, object] = json.loads(store.objects["here/queue.json"].body)
    return found


def left(store: Store) -> set[str]:
    """The first parts of the keys that are in the bucket."""
    return {key.removeprefix("here/").split("/")[0] for key in store.objects}


def test_unquoted_versions_are_found_remembered_and_carry_a_job(opened: Open) -> None:
    store = opened(Dialect(unquoted_only=True))
    assert run(["init", URL]) == 0
    assert queue_json(store)["etag_style"] == "unquoted"
    a_whole_job(open_store(URL))
    assert store.answers["PUT 412"] > 0, "the probe has tried the quoted form"
    assert left(store) == {"queue.json", "done"}


@pytest.mark.parametrize("missing_is", pick(quick=[412], full=[404, 412]))
def test_a_replace_of_what_is_missing_may_be_404_or_412(opened: Open, missing_is: int) -> None:
    store = opened(Dialect(missing_is=missing_is))
    assert run(["init", URL]) == 0
    assert queue_json(store)["etag_style"] == "quoted"
    a_whole_job(open_store(URL))


def test_a_conflict_that_decided_nothing_is_sent_again(opened: Open) -> None:
    only_at_full_size("a store that answers 409 first, with a whole job")
    store = opened(Dialect(conflicts_first=True))
    assert run(["init", URL]) == 0
    deferred = store.answers["PUT 409"]
    a_whole_job(open_store(URL))
    assert store.answers["PUT 409"] >= deferred + 3, "pending, lease and done were each put off once"
    assert left(store) == {"queue.json", "done"}


def test_a_store_that_refuses_checksums_is_sent_none(opened: Open) -> None:
    store = opened(Dialect(refuses_checksums=True))
    assert run(["init", URL]) == 0
    a_whole_job(open_store(URL))
    assert store.answers["PUT 401"] == 0


def test_listings_that_lag_lose_nothing(opened: Open, capsys: pytest.CaptureFixture[str]) -> None:
    only_at_full_size("listings that lag by two seconds")
    store = opened(Dialect(lag_s=2.0))
    assert run(["init", URL]) == 0
    queue = open_store(URL)
    for number in range(3):
        a_whole_job(queue, f"number {number}")
    assert left(store) == {"queue.json", "done"}
    ended = {key.removeprefix(f"here/{DONE}").removesuffix(".json") for key in store.objects if f"/{DONE}" in key}
    assert len(ended) == 3
    store.catch_up()
    capsys.readouterr()
    assert run(["ls", "--json", "--store", URL]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["id"]: row["state"] for row in rows} == dict.fromkeys(ended, "succeeded")


REFUSED = {
    "ignores If-None-Match": (Dialect(ignores_create=True), "overwrites an object that should be created only if"),
    "ignores all conditions": (Dialect(ignores_conditions=True), "overwrites an object"),
    "creates what should be replaced": (Dialect(missing_is=0), "creates an object that should only be replaced"),
    "checks, then writes": (Dialect(races=True), "of many writers at the same moment it lets not exactly one win"),
    "has no conditions": (Dialect(implements_conditions=False), "it does not take conditional writes"),
}


@pytest.mark.parametrize("name", pick(quick=["ignores If-None-Match", "checks, then writes"], full=list(REFUSED)))
def test_a_store_that_would_lose_jobs_is_refused_by_name(
    opened: Open, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dialect, reason = REFUSED[name]
    store = opened(dialect)
    assert run(["init", URL, "--json"]) == 3
    error = json.loads(capsys.readouterr().err.splitlines()[-1])["error"]
    assert error["type"] == "UnsafeStore"
    assert reason in error["message"] and URL in error["message"]
    assert error["hint"].startswith("Use ")
    assert left(store) <= {"probe"}, "nothing was written but the probe's scratch"
    with pytest.raises(Exception, match="holds no queue"):
        open_store(URL)
