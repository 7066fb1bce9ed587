"""Signing on real servers, between users whose rights are those of their roles: a thief has all that a worker has."""

from __future__ import annotations

import boto3.session
import pytest
from localstack.servers import Server
from localstack.users import users_of

from gpujob import JobStore, keys
from gpujob.buckets.s3 import open_s3
from gpujob.errors import Untrusted
from gpujob.policies.roles import Role
from gpujob.records import Result
from gpujob.signing.identity import Identity
from gpujob_worker.executors.echo import EchoExecutor
from gpujob_worker.worker import Limits, Worker
from tests.servers import NAMES, PREFIX, SHARED, with_users
from tests.unit.signing.parties import ECHO, Parties, altered, pending, write


@pytest.fixture(scope="module", params=NAMES)
def server(request: pytest.FixtureRequest) -> Server:
    return with_users(request.param)


@pytest.fixture(scope="module")
def parties() -> Parties:
    return Parties()


def queue_of(server: Server, role: Role, identity: Identity) -> JobStore:
    """The queue with the credentials of a role."""
    (user,) = [user for user in users_of(SHARED) if user.role == role]
    session = boto3.session.Session(user.access_key, user.secret_key, region_name=server.region)
    return JobStore(open_s3(SHARED, PREFIX, session=session, endpoint_url=server.endpoint), identity=identity)


def run(store: JobStore, *jobs: str) -> Worker:
    """A worker for these jobs alone: others use the queue too. It looks at each once."""
    limits = Limits(jobs=jobs, idle_exit_s=0.0)
    worker = Worker(store, [EchoExecutor()], worker_id="w", limits=limits, presence_every_s=None, sweep_every_s=None)
    worker.run()
    return worker


def test_a_signed_job_goes_through_and_a_workers_rights_and_key_forge_none(server: Server, parties: Parties) -> None:
    alice, gpu = queue_of(server, "submitter", parties.submitter), queue_of(server, "worker", parties.worker)
    thief = queue_of(server, "worker", Identity(parties.gpu1))
    honest = alice.submit(ECHO).manifest
    forged = thief.identity.signed_manifest(altered(honest.model_copy(update={"id": thief.new_id(), "nonce": "n"})))
    write(thief.bucket, pending(forged), forged.body())
    copied = honest.model_copy(update={"id": thief.new_id()})
    write(thief.bucket, pending(copied), copied.body())
    served = run(gpu, honest.id, forged.id, copied.id)
    assert served.summary.endings == {"succeeded": 1}
    assert alice.wait(honest.id, timeout_s=0).output == {"message": "hello"}
    assert [gpu.status(one.id).lease for one in (forged, copied)] == [None, None]


def test_a_result_that_a_worker_without_a_key_wrote_is_not_believed(server: Server, parties: Parties) -> None:
    alice = queue_of(server, "submitter", parties.submitter)
    neighbour = queue_of(server, "worker", Identity(parties.mallory))
    job = alice.submit(ECHO).manifest
    forged = Result(id=job.id, kind="echo", state="succeeded", nonce="n", spec_sha256=job.spec_sha256, manifest=job)
    neighbour.bucket.create(keys.done(job.id), neighbour.identity.signed_result(forged).body())
    with pytest.raises(Untrusted, match="is not trusted here"):
        alice.wait(job.id, timeout_s=0)
