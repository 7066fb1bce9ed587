"""Marked secrets through success and failure: none is in a file, an object of the bucket, or anything that was said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from localstack.servers import Server

from gpujob.policies.minio_users import Keys, MinioUsers
from tests import leaks
from tests.acceptance import leaky
from tests.acceptance.command_line import Person
from tests.acceptance.processes import WorkerProcess
from tests.docs.pages import ROOT
from tests.servers import minio
from tests.sizing import only_at_full_size

__all__ = ["minio"]

pytestmark = pytest.mark.timeout(300)

BUCKET, PREFIX = "canaries", "a/queue"
URL = f"s3://{BUCKET}/{PREFIX}"
WORKERS = "canary-of-the-worker-5f1c"
SUBMITTERS = "canary-of-the-submitter-77ab"
JOBS = "canary-of-a-job-e0d9/+"
WRONG = "canary-that-is-wrong-81f2"
TOKEN = "canary-session-token-93c4"
PASSWORD = "canary-in-an-address-2b6e"
CANARIES = (WORKERS, SUBMITTERS, JOBS, JOBS[:-2], WRONG, TOKEN, PASSWORD)


class Witness:
    """A person whose every command is remembered."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.said: dict[str, str] = {}

    def run(self, *args: str, **env: str) -> str:
        done = self.person.run(*args, **env)
        self.said[f"{len(self.said)} gpujob {' '.join(args)}"] = done.out + done.err
        return done.out

    def debug(self, *args: str, **env: str) -> None:
        """The same with a traceback, which `Person.run` would not have."""
        line = " ".join(["GPUJOB_DEBUG=1", *(f"{name}='{value}'" for name, value in env.items()), "gpujob", *args])
        done = self.person.shell(line)
        assert done.code != 0 and "Traceback" in done.err, f"{line}: {done.err}"
        self.said[f"{len(self.said)} {' '.join(args)} with a traceback"] = done.out + done.err


@pytest.fixture
def witness(minio: Server, tmp_path: Path) -> Witness:
    person = Person(tmp_path / "person")
    root = minio.environment(URL)
    users = MinioUsers(minio.endpoint, Keys(minio.access_key, minio.secret_key))
    for role, secret in (("worker", WORKERS), ("submitter", SUBMITTERS)):
        users.make(role, BUCKET, PREFIX, secret_key=secret)  # type: ignore[arg-type]
    person.env |= root
    witness = Witness(person)
    witness.run("init", "--json")
    person.env |= keys_of("submitter", SUBMITTERS)
    return witness


def keys_of(role: str, secret: str) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": f"{BUCKET}-a-queue-{role}", "AWS_SECRET_ACCESS_KEY": secret}


def test_a_secret_that_a_job_was_handed_is_nowhere_afterwards(witness: Witness, minio: Server, tmp_path: Path) -> None:
    only_at_full_size("a job with a secret that succeeds, fails and dies")
    person = witness.person
    site = leaky.install(tmp_path / "site")
    person.env["PYTHONPATH"] = str(site)
    jobs = []
    for do in ("succeed", "raise", "die"):
        spec = {"kind": "test.leak", "input": {"do": do}, "secrets": ["LEAK_TOKEN"], "retry": {"max_attempts": 1}}
        jobs.append(witness.run("submit", str(person.write(f"{do}.json", spec))).strip())
    env = {**person.env, **keys_of("worker", WORKERS)}
    env |= {"LEAK_TOKEN": JOBS, "GPUJOB_ALLOW_SECRETS": "LEAK_TOKEN", "GPUJOB_DEBUG": "1"}
    flags = ("--kinds", "test.leak", "--max-jobs", "3", "--verbose")
    with WorkerProcess(URL, tmp_path / "worker", *flags, env=env) as worker:
        worker.wait_for("left after")
        assert worker.end() == 0
    witness.said["the worker"] = "\n".join(worker.lines)
    shown = [json.loads(witness.run("show", job, "--json")) for job in jobs]
    assert [one["state"] for one in shown] == ["succeeded", "failed", "failed"]
    for job in jobs:
        witness.run("logs", job)
    witness.run("ls", "--json", "--since", "1h")
    witness.run("worker", "notebook", "--no-upload")

    assert_clean(witness, minio, tmp_path)
    told = "\n".join(witness.said.values())
    for trace in ("printed", "said", "warned", "dying with", "logged as json"):
        assert f"{trace} [secret LEAK_TOKEN]" in told or f'{trace} {{"token": "[secret LEAK_TOKEN]"}}' in told, trace
    assert shown[0]["output"] == {"marker": "the output is here", "token": ["[secret LEAK_TOKEN]"]}
    assert leaks.in_bucket(["the output is here"], minio, BUCKET), "the scan reads results"
    assert leaks.in_bucket(["dying with"], minio, BUCKET), "the scan reads logs"


def test_what_goes_wrong_tells_no_secret(witness: Witness, minio: Server, tmp_path: Path) -> None:
    only_at_full_size("a traceback of each way to fail at a store, looked through for secrets")
    down = {"AWS_ENDPOINT_URL_S3": f"http://user:{PASSWORD}@127.0.0.1:1"}
    wrong = {"AWS_SECRET_ACCESS_KEY": WRONG}
    session = {"AWS_SESSION_TOKEN": TOKEN}
    address = f"s3://user:{PASSWORD}@{BUCKET}/{PREFIX}"
    for env in (down, wrong, session, {"GPUJOB_STORE": address}):
        witness.debug("ls", **env)
        witness.run("doctor", "--json", **env)
        witness.run("worker", "run", "--once", "--kinds", "echo", "-v", **env)
    witness.run("echo", "hello", "--json", "--no-wait", **wrong)
    witness.run("init", address, "--create-users", "--yes")
    witness.run("init", "--create-users", "--yes", **wrong)
    witness.run("ls", GPUJOB_STORE=f"https://user:{PASSWORD}@host/bucket")
    assert_clean(witness, minio, tmp_path)


def test_the_scan_bites(tmp_path: Path, minio: Server) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file.bin").write_bytes(b"\0\xff before " + JOBS.encode() + b" after")
    (tmp_path / leaks.ALLOWED).mkdir()
    (tmp_path / leaks.ALLOWED / "user.env").write_text(WORKERS)
    assert leaks.in_files(CANARIES, tmp_path) == [str(tmp_path / "deep" / "er" / "file.bin")]
    minio.make_bucket("leaking")
    minio.client().put_object(Bucket="leaking", Key="done/x.json", Body=f'{{"x": "{TOKEN}"}}'.encode())
    assert leaks.in_bucket(CANARIES, minio, "leaking") == ["leaking/done/x.json"]
    assert leaks.in_texts(CANARIES, {"a": f"x {WRONG}", "b": "nothing"}) == ["a"]


LEAKS = {
    "a token of Google's": "file.write_text('Bearer ' + TOKEN + '7')",
    "Google's secret": "file.write_text('AWS_SECRET_ACCESS_KEY=' + SECRET)",
    "a service account's key": "write_account(file, 'http://nowhere')",
    "a signing key": "new_key().write(file)",
}
LEAKING = """
from gpujob.signing.private import new_key
from tests.google import SECRET, TOKEN
from tests.google.tokens import Tokens

write_account = Tokens(lambda: 0.0).write_account

def test_it(tmp_path):
    new_key().write(tmp_path / "its-own.pem")
    file = tmp_path / {name!r}
    {leak}
"""


@pytest.mark.parametrize("leak", [*LEAKS.values(), ""], ids=[*LEAKS, "none"])
def test_only_the_keys_of_servers_were_looked_for_and_only_where_one_ran(tmp_path: Path, leak: str) -> None:
    place = tmp_path / leaks.ALLOWED
    place.mkdir()
    (place / "test_leak.py").write_text(LEAKING.format(name="some-file", leak=leak or "pass"))
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", "--rootdir"]
    ran = subprocess.run(
        [*pytest_, str(place), str(place / "test_leak.py"), f"--basetemp={place / 'run'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == bool(leak), ran.stdout + ran.stderr
    assert ("written down" in ran.stdout and "some-file" in ran.stdout) is bool(leak)
    assert "its-own.pem" not in ran.stdout


def assert_clean(witness: Witness, minio: Server, place: Path) -> None:
    """No canary anywhere: said, on this disk, in the bucket, or in the server's own data."""
    secrets = (*CANARIES, minio.secret_key)
    assert leaks.in_texts(secrets, witness.said) == []
    assert leaks.in_files(secrets, place, minio.folder / "data" / BUCKET) == []
    assert leaks.in_bucket(secrets, minio, BUCKET) == []
