"""Each party with the rights of its role and no others: the protocol goes on, and what a role lacks is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

import pytest

from gpujob import keys
from gpujob.buckets.base import Bucket
from gpujob.buckets.memory import MemoryBucket
from gpujob.buckets.wrapped import WrappedBucket
from gpujob.chance import Random
from gpujob.errors import Denied
from gpujob.policies import google
from gpujob.policies.roles import ABOUT, FOLDERS, ROLES, VERBS, Role, Verb, folders, may
from gpujob.store import JobStore
from gpujob.testing.store_setting import ManualRuntime, TimeMachine
from gpujob_worker import EchoExecutor, Limits, Worker

T = TypeVar("T")

ASKS: dict[str, tuple[Verb, ...]] = {"head": ("get",), "download": ("get",), "upload": ("create", "replace")}


class RoleBucket(WrappedBucket):
    """A bucket as the user of one role sees it. `asked` are the requests, as verb and key."""

    def __init__(self, inner: Bucket, role: Role) -> None:
        super().__init__(inner)
        self.role = role
        self.asked: list[tuple[str, str]] = []

    def _request(self, verb: str, key: str, call: Callable[[], T]) -> T:
        self.asked.append((verb, key))
        needed: tuple[Verb, ...] = ASKS.get(verb) or (verb,)  # type: ignore[assignment]
        folder = keys.folder_of(key)
        if folder and not all(may(self.role, one, folder) for one in needed):
            raise Denied(f"{self.role} may not {verb} {key}")
        return call()


class Queue:
    """One queue in memory, opened by users of several roles, and a clock to move."""

    def __init__(self) -> None:
        self.machine = TimeMachine(MemoryBucket())
        self.clock = ManualRuntime(self.machine)
        self.rng = Random(3)

    def as_(self, role: Role) -> JobStore:
        return JobStore(RoleBucket(self.machine, role), runtime=self.clock, rng=self.rng, patience_s=5.0)

    def serve(self) -> None:
        worker = Worker(self.as_("worker"), [EchoExecutor()], worker_id="w-1", limits=Limits(once=True))
        assert worker.run().endings["succeeded"] == 1


def spec(**more: object) -> dict[str, object]:
    artifacts = [{"name": "a.bin", "bytes": 2000}]
    return {"kind": "echo", "input": {"message": "hello", "artifacts": artifacts}, **more}


@pytest.mark.parametrize("submitter", ["submitter", "submitter-without-cancel"])
def test_a_job_goes_its_way_with_nothing_but_what_each_role_has(submitter: Role, tmp_path: Path) -> None:
    queue = Queue()
    (tmp_path / "in.txt").write_text("an input")
    job = queue.as_(submitter).submit(spec(idempotency_key="chapter-1", files=[{"name": "in.txt"}]), base_dir=tmp_path)
    again = queue.as_(submitter).submit(
        spec(idempotency_key="chapter-1", files=[{"name": "in.txt"}]), base_dir=tmp_path
    )
    assert (again.already, again.id) == (True, job.id)
    queue.serve()
    result = queue.as_(submitter).wait(job.id)
    assert result.state == "succeeded"
    for role in (submitter, "reader", "operator"):
        (path,) = queue.as_(role).download(result, tmp_path / role)
        assert path.stat().st_size == 2000
    assert [one.id for one in queue.as_("reader").jobs()] == [job.id]


def test_a_submitter_cancels_and_one_without_that_right_is_told_who_may() -> None:
    queue = Queue()
    job = queue.as_("submitter").submit(spec())
    with pytest.raises(Denied, match=r"may not cancel jobs, so .* goes on") as caught:
        queue.as_("submitter-without-cancel").cancel(job.id)
    assert "an operator" in (caught.value.hint or "")
    assert queue.as_("reader").status(job.id).state == "queued"
    status, ours = queue.as_("submitter").cancel(job.id)
    assert (status.state, ours) == ("cancelled", True)
    assert queue.machine.list(keys.PENDING).entries == ()


def test_a_workers_sweep_leaves_what_it_may_not_remove_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue()
    for _ in range(3):
        queue.as_("submitter").submit(spec())
        queue.serve()
    queue.clock.sleep(40 * 86400.0)
    store = queue.as_("worker")
    sweeper = store.sweeper("w-1")
    with caplog.at_level(logging.WARNING, "gpujob"):
        assert [sweeper.sweep(100) for _ in range(5)] == [0, 0, 0, 0, 0]
    assert [one.message for one in caplog.records if "stays for one who may delete there" in one.message] == [
        "what is below done/ stays for one who may delete there (`gpujob gc`): worker may not delete "
        + queue.machine.list(keys.DONE).entries[0].key
    ]
    assert isinstance(store.bucket, RoleBucket)
    assert [verb for verb, _ in store.bucket.asked].count("delete") == 1, "a refusal is not asked for again"
    assert [key for verb, key in store.bucket.asked if verb == "list"].count(keys.DONE) == 1
    assert len(queue.machine.list(keys.DONE).entries) == 3
    assert queue.as_("operator").gc().objects["results"] == 3
    assert queue.machine.list(keys.DONE).entries == ()


def test_a_sweep_still_expires_what_is_past_its_time() -> None:
    queue = Queue()
    job = queue.as_("submitter").submit(spec(ttl="1m"))
    queue.clock.sleep(90)
    assert queue.as_("worker").sweeper("w-1").sweep(100) == 1
    assert queue.as_("reader").status(job.id).state == "expired"


@pytest.mark.parametrize("role", ["submitter", "submitter-without-cancel", "worker", "reader"])
def test_who_may_not_remove_is_refused_instead_of_told_a_tale(role: Role) -> None:
    """A removal that the store refused was once reported as done: only a line of the debug log said otherwise."""
    queue = Queue()
    job = queue.as_("submitter").submit(spec())
    queue.serve()
    queue.clock.sleep(40 * 86400.0)
    with pytest.raises(Denied):
        queue.as_(role).gc()
    with pytest.raises(Denied):
        queue.as_(role).remove(job.id)
    assert queue.as_("operator").remove(job.id).outcome == "removed"


def test_the_table_keeps_what_the_issue_asks_of_it() -> None:
    changes: tuple[Verb, ...] = ("create", "replace", "delete")
    assert folders("reader", *changes) == ()
    assert not {keys.DONE, keys.LEASED} & set(folders("submitter-without-cancel", *changes))
    assert not may("worker", "delete", "inputs/") and not may("worker", "replace", "inputs/")
    assert "inputs/" not in folders("worker", *changes)
    for role in ROLES:
        assert role == "operator" or not may(role, "replace", keys.DONE)
        assert role == "operator" or not may(role, "delete", keys.DONE)
        assert role == "operator" or keys.QUEUE not in folders(role, *changes)
    assert folders("operator", *VERBS) == ("",)
    assert set(ABOUT) == set(ROLES)


def test_every_folder_of_a_queue_is_in_the_table() -> None:
    values = [value for name, value in vars(keys).items() if name.isupper() and not name.startswith("_")]
    of_keys = {keys.folder_of(value) for value in values if isinstance(value, str) and value.endswith("/")}
    assert of_keys | {keys.QUEUE, "probe/"} == set(FOLDERS)


@pytest.mark.parametrize("prefix", ["", "team/a"])
@pytest.mark.parametrize("role", ROLES)
def test_googles_conditions_follow_the_table(role: Role, prefix: str) -> None:
    by_role = {one["role"].rpartition("/")[2]: one for one in google.bindings(role, "queue", prefix)}
    at = f"{prefix}/" if prefix else ""
    for name, verbs in {
        "gpujobRead": {"get"},
        "gpujobCreate": {"create", "replace"},
        "gpujobDelete": {"replace", "delete"},
    }.items():
        expression = by_role.get(name, {}).get("condition", {}).get("expression", "")
        assert expression.count("||") < 12, "more operators than a condition may have"
        for folder in FOLDERS:
            named = f'resource.name.startsWith("projects/_/buckets/queue/objects/{at}{folder}")' in expression
            whole = f'startsWith("projects/_/buckets/queue/objects/{at}")' in expression
            assert (named or whole) == any(may(role, verb, folder) for verb in get_args(Verb) if verb in verbs)
    listing = by_role["gpujobList"].get("condition", {}).get("expression", "")
    assert ("objectListPrefix" in listing) is bool(prefix or folders(role, "list") != ("",))


def test_on_google_nobody_but_an_operator_overwrites_a_result() -> None:
    for role in ROLES:
        (deletes,) = [one for one in google.bindings(role, "queue") if one["role"].endswith("gpujobDelete")] or [
            {"condition": {"expression": ""}}
        ]
        may_overwrite = 'objects/done/"' in deletes["condition"]["expression"] or role == "operator"
        assert may_overwrite is (role == "operator")
