"""The worker that a signing user's own machine starts: whose jobs it runs, where the user has named nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpujob import JobStore, keys, open_store
from gpujob.settings import TRUST_SUBMITTERS
from gpujob.signing.folder import make_pair
from gpujob.signing.identity import NOBODY, Identity
from gpujob.signing.private import load_key, new_key
from gpujob_cli import serving
from gpujob_cli.serving import LocalWorker, whose_jobs
from gpujob_cli.session import Session

from .command_line import Person

ECHO = {"kind": "echo", "input": {"message": "hi"}}
LEAVES_WITHIN_S = 90


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "store").as_uri()


@pytest.fixture
def alice(tmp_path: Path, url: str) -> Person:
    """Submits with a key of her own, and has named nobody."""
    person = Person(tmp_path / "alice")
    pair = make_pair(person.home / ".config" / "gpujob" / "keys", "alice")
    person.env |= {"GPUJOB_STORE": url, "GPUJOB_SIGN_WITH": str(pair.path)}
    return person


def as_alice(alice: Person, url: str) -> JobStore:
    return open_store(url, identity=Identity(load_key(Path(alice.env["GPUJOB_SIGN_WITH"]))))


def test_a_local_worker_refuses_a_job_that_a_neighbour_altered(
    alice: Person, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong: it ran the neighbour's job under her id, and signed the result with her key."""
    job = as_alice(alice, url).submit(ECHO).manifest
    bucket = open_store(url).bucket
    key = keys.pending(job.priority, job.id, job.kind)
    found = bucket.head(key)
    assert found is not None
    altered = job.model_copy(update={"spec": {**job.spec, "input": {"message": "evil"}}})
    bucket.replace(key, altered.body(), found.version)
    for name in ("HOME", "GPUJOB_STORE", "GPUJOB_SIGN_WITH"):
        monkeypatch.setenv(name, alice.env[name])
    monkeypatch.setattr(serving, "IDLE_EXIT", "1s")
    with Session() as session:
        worker = LocalWorker(session, {"echo"}, (job.id,))
        assert worker.process.wait(LEAVES_WITHIN_S) == 0
    assert f"refused {job.id}: its signature with the key" in worker.log.read_text()
    worker.leave()
    assert open_store(url).status(job.id).state == "queued"


def test_the_fallback_does_ones_own_job_on_a_queue_of_signed_jobs(alice: Person, url: str) -> None:
    """What went wrong: the local worker knew no submitter, and refused to start."""
    assert alice.run("init", url, "--signed").code == 0
    job = alice.run("submit", alice.write("echo.json", ECHO)).out.strip()
    waited = alice.run("wait", job, "--fallback", "local", "--fallback-after", "1s")
    assert waited.code == 0, waited.err
    result = as_alice(alice, url).result(job)
    assert result is not None and result.state == "succeeded" and result.signature is not None


def test_who_has_named_submitters_or_signs_nothing_is_left_as_they_are() -> None:
    own, other = new_key(), new_key()
    assert whose_jobs(Identity(own)) == {TRUST_SUBMITTERS: own.public.text}
    assert whose_jobs(Identity(own, submitters=(other.public,))) == whose_jobs(NOBODY) == {}
