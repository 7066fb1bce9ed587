"""Signing from the command line, with worker processes, two key pairs and a neighbour: what each is told, and exit codes."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from gpujob import JobStore, keys, open_store
from gpujob.records import Result
from gpujob.signing.folder import make_pair
from gpujob.signing.identity import Identity
from gpujob.signing.private import load_key

from .command_line import Done, Person

ECHO = {"kind": "echo", "input": {"message": "hi", "artifacts": [{"name": "a.txt", "bytes": 10}]}}


class Actor(Person):
    """Somebody with a home of their own, on a queue that others use too."""

    def __init__(self, place: Path, url: str) -> None:
        super().__init__(place)
        self.env |= {"GPUJOB_STORE": url}

    def make_key(self, name: str) -> str:
        """A new key pair, which signs from here on; its public half."""
        pair = make_pair(self.home / ".config" / "gpujob" / "keys", name)
        self.env |= {"GPUJOB_SIGN_WITH": name}
        return pair.public.text

    def trust(self, *, submitters: str = "", workers: str = "") -> None:
        """Names whose signatures count."""
        given = {"GPUJOB_TRUST_SUBMITTERS": submitters, "GPUJOB_TRUST_WORKERS": workers}
        self.env |= {name: value for name, value in given.items() if value}

    def submit(self) -> str:
        """The id of a job that is signed with the key of this person."""
        key = load_key(self.home / ".config" / "gpujob" / "keys" / f"{self.env['GPUJOB_SIGN_WITH']}.pem")
        return open_store(self.env["GPUJOB_STORE"], identity=Identity(key)).submit(ECHO).id

    def serve(self) -> Done:
        """A worker process that runs one job, if one waits for it."""
        return self.run("worker", "run", "--kinds", "echo", "--once")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def store(url: str) -> JobStore:
    """The queue as a neighbour sees it: all rights, and no key."""
    return open_store(url)


@pytest.fixture
def alice(tmp_path: Path, url: str) -> Actor:
    """Submits; has no key yet."""
    return Actor(tmp_path / "alice", url)


@pytest.fixture
def gpu(tmp_path: Path, url: str) -> Actor:
    """Works; has no key yet."""
    return Actor(tmp_path / "gpu", url)


@pytest.fixture
def signed(alice: Actor, gpu: Actor) -> tuple[Actor, Actor]:
    """Both with a key, each trusting the other."""
    of_alice, of_gpu = alice.make_key("alice"), gpu.make_key("gpu1")
    alice.trust(workers=of_gpu)
    gpu.trust(submitters=of_alice)
    return alice, gpu


def test_a_signed_job_from_submit_to_the_files(signed: tuple[Actor, Actor], tmp_path: Path) -> None:
    alice, gpu = signed
    job = alice.run("submit", alice.write("echo.json", ECHO)).out.strip()
    served = gpu.serve()
    assert served.code == 0 and f"succeeded {job}" in served.err
    assert "runs only jobs signed with the key " in served.err and "signs results with the key " in served.err
    assert alice.run("wait", job, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "a.txt").stat().st_size == 10
    shown = alice.run("show", job)
    assert shown.code == 0
    assert re.search(r"signed +the job with the key [0-9a-f]{16}$", shown.out, re.MULTILINE)
    assert re.search(r"signed +the result with the key [0-9a-f]{16}, which is trusted$", shown.out, re.MULTILINE)
    facts = json.loads(alice.run("show", job, "--json").out)["signed_with"]
    assert facts["trusted"] is True and facts["job"] != facts["result"]


def test_a_neighbours_jobs_and_a_workers_forgery_stay_where_they_are(
    signed: tuple[Actor, Actor], store: JobStore
) -> None:
    _alice, gpu = signed
    unsigned = store.submit(ECHO).id
    forged = gpu.submit()  # the worker's own credentials and key, in wrong hands
    served = gpu.serve()
    assert served.code == 0 and "left after no job" in served.err
    assert f"refused {unsigned}: it is not signed" in served.err
    assert re.search(
        rf"refused {forged}: it is signed with the key [0-9a-f]{{16}}, which is not trusted here", served.err
    )
    assert {store.status(one).state for one in (unsigned, forged)} == {"queued"}


def test_a_forged_result_is_106_and_nothing_is_fetched(
    signed: tuple[Actor, Actor], store: JobStore, tmp_path: Path
) -> None:
    alice, _gpu = signed
    job = alice.submit()
    manifest = store.status(job).manifest
    assert manifest is not None
    forged = Result(
        id=job, kind="echo", state="succeeded", nonce="evil", spec_sha256=manifest.spec_sha256, manifest=manifest
    )
    store.bucket.create(keys.done(job), forged.body())
    for words in (["wait", job, "-o", "out"], ["get", job, "-o", "out"], ["show", job, "--exit-code"]):
        done = alice.run(*words)
        assert done.code == 106, done
        assert f"the result of job {job} cannot be trusted: it is not signed" in done.err and "signing.md" in done.err
    assert not (alice.work / "out").exists() and "is not trusted" in alice.run("show", job).out
    told = alice.run("wait", job, "--json")
    assert told.code == 106 and told.error["type"] == "Untrusted"
    assert alice.run("retry", job).code == 0, "the job in it is alice's own"
    assert alice.run("wait", job, GPUJOB_TRUST_WORKERS="").code == 0, "who names no workers believes all"


def test_a_cancel_by_a_neighbour_is_not_believed_and_ones_own_is(signed: tuple[Actor, Actor], store: JobStore) -> None:
    alice, _gpu = signed
    mine, theirs = alice.submit(), alice.submit()
    assert alice.run("cancel", mine).code == 0
    store.cancel(theirs)
    assert alice.run("wait", mine).code == 103
    assert alice.run("wait", mine, theirs).code == 106


def test_rotation_with_two_keys_at_once(signed: tuple[Actor, Actor]) -> None:
    alice, gpu = signed
    before = alice.submit()
    old = gpu.env["GPUJOB_TRUST_SUBMITTERS"]
    new = alice.make_key("alice-2027")
    after = alice.submit()
    gpu.trust(submitters=f"{old}, {new}")
    served = gpu.serve().err + gpu.serve().err  # in whatever order: a worker takes one of the first few
    assert f"succeeded {before}" in served and f"succeeded {after}" in served
    old_worker = alice.env["GPUJOB_TRUST_WORKERS"]
    listed = gpu.write("workers.pub", f"# the fleet\n{old_worker}  gpu1\n{gpu.make_key('gpu1-2027')}\n")
    last = alice.submit()
    assert f"succeeded {last}" in gpu.serve().err
    alice.trust(workers=str(listed))
    trusted_old = {"GPUJOB_TRUST_SUBMITTERS": old}  # her old key is not the one that she signs with now
    assert alice.run("wait", before, after, last, **trusted_old).code == 0
    gpu.trust(submitters=new)
    alice.env["GPUJOB_SIGN_WITH"] = "alice"
    gone = alice.submit()
    assert f"refused {gone}" in gpu.serve().err, "the old key was taken off the list"


def test_a_signed_queue_says_so(alice: Actor, gpu: Actor, url: str) -> None:
    made = alice.run("init", url, "--signed")
    assert made.code == 0 and "have to be signed" in made.err
    refused = alice.run("submit", alice.write("echo.json", ECHO))
    assert refused.code == 3 and "`gpujob keys new` makes one" in refused.err
    assert gpu.serve().code == 3
    public = alice.make_key("alice")
    job = alice.run("submit", "echo.json").out.strip()
    gpu.trust(submitters=public)
    served = gpu.serve()
    assert served.code == 0 and f"succeeded {job}" in served.err and "has no key" in served.err
    assert alice.run("init", url, "--ttl", "40s").code == 0
    assert alice.run("submit", "echo.json", GPUJOB_SIGN_WITH="").code == 3, "another init keeps it"
    assert alice.run("init", url, "--unsigned").code == 0
    assert alice.run("submit", "echo.json", GPUJOB_SIGN_WITH="").code == 0


def test_a_job_that_no_worker_trusts_says_why_it_waits(signed: tuple[Actor, Actor], store: JobStore) -> None:
    _alice, gpu = signed
    stranger = store.submit(ECHO).id
    with gpu.running("worker", "run", "--kinds", "echo") as worker:
        worker.wait_for(f"refused {stranger}")
        told = gpu.run("wait", stranger, "--worker-timeout", "0s")
    assert told.code == 105 and "the workers take signed jobs only, and this one is not signed" in told.err


def test_keys_new_and_ls(alice: Actor) -> None:
    made = alice.run("keys", "new")
    assert made.code == 0 and re.fullmatch(r"ed25519:[A-Za-z0-9+/]{43}=\n", made.out)
    assert "GPUJOB_TRUST_SUBMITTERS" in made.err and "GPUJOB_TRUST_WORKERS" in made.err
    private = alice.home / ".config" / "gpujob" / "keys" / "default.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert alice.run("keys", "new").code == 5
    assert alice.run("keys", "new", "../x").code == 2
    (row,) = json.loads(alice.run("keys", "ls", "--json", GPUJOB_SIGN_WITH="default").out)
    assert (row["name"], row["public_key"], row["signs"]) == ("default", made.out.strip(), True)
    assert alice.run("keys", "ls", "-q").out == made.out
    assert private.read_text().splitlines()[1] not in json.dumps(row) + made.out + made.err


def test_a_key_that_does_not_do_is_exit_3_with_the_remedy(alice: Actor, url: str) -> None:
    alice.make_key("alice")
    private = alice.home / ".config" / "gpujob" / "keys" / "alice.pem"
    private.chmod(0o644)
    done = alice.run("submit", alice.write("echo.json", ECHO))
    assert done.code == 3 and f"chmod 600 {private}" in done.err
    missing = alice.run("ls", GPUJOB_SIGN_WITH="nobody")
    assert missing.code == 3 and "keys new" in missing.err
    worker = alice.run(
        "worker", "run", "--kinds", "echo", "--once", GPUJOB_SIGN_WITH="", GPUJOB_TRUST_SUBMITTERS="nowhere.pub"
    )
    assert worker.code == 3 and "trust_submitters" in worker.err
