"""The policies that `gpujob init` prints: enough for the protocol, and no more, on real servers."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable

import boto3.session
import pytest
from localstack.servers import BUCKET, Server
from localstack.users import USERS, make_minio_users

from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.buckets.s3_policies import ROLES, policy, write_once
from gpujob.errors import Denied
from tests.servers import minio, s3_server, seaweedfs

__all__ = ["minio", "s3_server", "seaweedfs"]

_names = itertools.count()


def as_user(server: Server, role: str) -> S3Bucket:
    (user,) = [user for user in USERS if user.role == role]
    session = boto3.session.Session(user.access_key, user.secret_key, region_name=server.region)
    return open_s3(BUCKET, session=session, endpoint_url=server.endpoint)


def fresh() -> str:
    return f"{os.getpid()}-{next(_names)}.json"


def test_a_job_can_go_its_way(s3_server: Server) -> None:
    submitter, worker = as_user(s3_server, "submitter"), as_user(s3_server, "worker")
    name = fresh()
    submitter.create(f"unique/{name}", b"{}")
    submitter.create(f"pending/5/{name}", b"{}")
    assert [entry.key for entry in worker.list(f"pending/5/{name}").entries] == [f"pending/5/{name}"]
    version = worker.create(f"leased/{name}", b"1")
    assert worker.head(f"done/{name}") is None, "a missing object is missing, not forbidden"
    worker.delete(f"pending/5/{name}")
    worker.replace(f"leased/{name}", b"2", version)
    worker.create(f"artifacts/{name}/1-0a/x", b"wav")
    worker.create(f"done/{name}", b"{}")
    worker.delete(f"leased/{name}")
    found = submitter.get(f"artifacts/{name}/1-0a/x")
    assert found is not None and found.body == b"wav"
    submitter.create(f"done/cancelled-{name}", b"{}")
    submitter.delete(f"leased/{name}")


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [
        ("submitter", lambda bucket: bucket.create("artifacts/x/1-0a/x", b"")),
        ("submitter", lambda bucket: bucket.create(f"workers/{fresh()}", b"")),
        ("submitter", lambda bucket: bucket.create("queue.json", b"")),
        ("submitter", lambda bucket: bucket.delete("artifacts/x/1-0a/x")),
        ("worker", lambda bucket: bucket.create("queue.json", b"")),
        ("worker", lambda bucket: bucket.delete("queue.json")),
        ("worker", lambda bucket: bucket.create("other/x", b"")),
    ],
)
def test_what_is_nobodys_business_is_denied(
    s3_server: Server, role: str, forbidden: Callable[[S3Bucket], object]
) -> None:
    with pytest.raises(Denied, match="do not allow this") as caught:
        forbidden(as_user(s3_server, role))
    assert caught.value.hint is not None and "gpujob init" in caught.value.hint


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [
        ("submitter", lambda bucket: bucket.create(f"leased/{fresh()}", b"")),
        ("submitter", lambda bucket: bucket.delete("done/x.json")),
        ("worker", lambda bucket: bucket.create(f"unique/{fresh()}", b"")),
        ("worker", lambda bucket: bucket.delete("models/x")),
    ],
)
def test_minio_tells_puts_from_deletes(minio: Server, role: str, forbidden: Callable[[S3Bucket], object]) -> None:
    with pytest.raises(Denied, match="do not allow this"):
        forbidden(as_user(minio, role))


def test_making_the_users_again_changes_nothing(minio: Server) -> None:
    make_minio_users(minio)
    as_user(minio, "worker").list("pending/")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("prefix", ["", "team/a/"])
def test_a_policy_stays_under_its_prefix(role: str, prefix: str) -> None:
    document = policy(role, "queue", prefix)  # type: ignore[arg-type]
    json.dumps(document)
    listing, *objects = document["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::queue"] and ("Condition" in listing) is bool(prefix)
    for statement in objects:
        assert all(resource.startswith(f"arn:aws:s3:::queue/{prefix}") for resource in statement["Resource"])
    assert write_once("queue", prefix)["Resource"] == [f"arn:aws:s3:::queue/{prefix}done/*"]
