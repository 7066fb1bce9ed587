"""A job's whole way by real processes, each with the keys of one role; and what each is refused, in a sentence."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from localstack.users import as_environment, users_of

from gpujob.policies.roles import Role
from tests.acceptance.command_line import Done, Person
from tests.acceptance.processes import WorkerProcess
from tests.servers import NAMES, PREFIX, SHARED, with_users
from tests.sizing import only_at_full_size

pytestmark = pytest.mark.timeout(300)


class Team:
    """Everybody who works with one queue. Each command runs with the keys of the role it is given."""

    def __init__(self, person: Person, env: dict[str, str]) -> None:
        self.person = person
        self.person.env |= env
        self.keys = {user.role: as_environment(user) for user in users_of(SHARED)}

    def as_(self, role: Role, *args: str) -> Done:
        return self.person.run(*args, **self.keys[role])


@pytest.mark.parametrize("name", NAMES)
def test_a_job_goes_its_way_with_these_users_and_no_others(name: str, tmp_path: Path) -> None:
    only_at_full_size("a queue whose parties have nothing but their roles")
    url = f"s3://{SHARED}/{PREFIX}"
    team = Team(Person(tmp_path / "person"), with_users(name).environment(url))
    made = team.as_("operator", "init", "--ttl", "3s", "--beat", "1s")
    assert made.code == 0, made.err

    team.person.write("in.txt", "an input")
    spec = {
        "kind": "echo",
        "input": {"message": "hello", "artifacts": [{"name": "a.bin", "bytes": 3000}]},
        "files": [{"name": "in.txt"}],
        "idempotency_key": f"chapter-{name}",
    }
    job = str(team.person.write("job.json", spec))
    first = team.as_("submitter-without-cancel", "submit", job)
    assert first.code == 0, first.err
    again = team.as_("submitter-without-cancel", "submit", job)
    assert (again.code, again.out) == (0, first.out), "the idempotency key holds"

    env = {**team.person.env, **team.keys["worker"]}
    with WorkerProcess(url, tmp_path / "worker", "--kinds", "echo", "--idle-exit", "5m", env=env) as worker:
        worker.wait_for("succeeded")
        waited = team.as_("submitter-without-cancel", "wait", first.lines[0], "-o", "out")
        assert waited.code == 0, waited.err
        assert (team.person.work / "out" / "a.bin").stat().st_size == 3000
        assert team.as_("reader", "worker", "ls", "--json").objects[0][0]["state"] == "idle"
        worker.signal(signal.SIGTERM)
        assert worker.end() == 0, worker.lines

    seen(team, first.lines[0])
    refused(team, job, first.lines[0])
    ended(team, first.lines[0])


def seen(team: Team, job_id: str) -> None:
    """A reader sees all of it."""
    shown = json.loads(team.as_("reader", "show", job_id, "--json").out)
    assert shown["state"] == "succeeded"
    assert job_id in team.as_("reader", "ls", "-q", "--since", "1h").out
    assert team.as_("reader", "get", job_id, "-o", "again").code == 0
    assert team.as_("reader", "gc", "--dry-run").code == 0
    assert team.as_("reader", "fsck").code == 0


def refused(team: Team, job: str, job_id: str) -> None:
    """What a role may not do is exit 3 with a sentence, and changes nothing."""
    waiting = team.as_("submitter", "echo", "wait for it", "--no-wait").lines[0]
    for role, words in (
        ("reader", ["submit", job.replace("job.json", "other.json")]),
        ("reader", ["cancel", waiting]),
        ("submitter-without-cancel", ["cancel", waiting]),
        ("worker", ["init", "--ttl", "9s", "--beat", "3s"]),
        ("submitter", ["init", "--ttl", "9s", "--beat", "3s"]),
    ):
        team.person.write("other.json", {"kind": "echo", "input": {"message": "no"}})
        done = team.as_(role, *words)  # type: ignore[arg-type]
        assert done.code == 3 and "do not allow this" in done.err, (role, words, done)
    assert "these credentials may not cancel jobs" in team.as_("submitter-without-cancel", "cancel", waiting).err
    assert team.as_("submitter", "cancel", waiting).code == 0
    assert json.loads(team.as_("reader", "show", waiting, "--json").out)["state"] == "cancelled"


def ended(team: Team, job_id: str) -> None:
    """An operator may remove it, but for the ten minutes that the protocol asks for."""
    assert team.as_("operator", "gc", "--yes").code == 0
    young = team.as_("operator", "rm", "--yes", job_id)
    assert young.code == 5 and "a late write could still need its record" in young.err
