"""The roles on real servers: every line of the table is tried, what is allowed and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable

import boto3.session
import pytest
from localstack.servers import Server
from localstack.users import users_of

from gpujob.buckets.s3 import S3Bucket, open_s3
from gpujob.errors import Denied, PreconditionFailed
from gpujob.policies.minio_users import Keys, MinioUsers
from gpujob.policies.roles import FOLDERS, ROLES, VERBS, WRITE_ONCE, Role, Verb, may
from gpujob.policies.s3 import policy, write_once
from tests.servers import NAMES, PREFIX, SHARED, with_users

NOT_TOLD_APART: dict[str, tuple[Verb, ...]] = {
    "minio": ("create", "replace"),
    "seaweedfs": ("create", "replace", "delete"),
}
"""Verbs that are one right to a server: whoever has one of them there has them all."""

ELSEWHERE = ("team/b/pending/", "team/b/leased/", "team/b/done/", "team/b/inputs/", "team/ab/pending/", "pending/")


@pytest.fixture(scope="module", params=NAMES)
def s3_server(request: pytest.FixtureRequest) -> Server:
    return with_users(request.param)


@pytest.fixture(scope="module")
def minio() -> Server:
    return with_users("minio")


def as_user(server: Server, role: Role, *, prefix: str = PREFIX) -> S3Bucket:
    (user,) = [user for user in users_of(SHARED) if user.role == role]
    session = boto3.session.Session(user.access_key, user.secret_key, region_name=server.region)
    return open_s3(SHARED, prefix, session=session, endpoint_url=server.endpoint)


def as_root(server: Server) -> S3Bucket:
    return open_s3(SHARED, session=server.session(), endpoint_url=server.endpoint)


def allowed(server: Server, role: Role, verb: Verb, folder: str) -> bool:
    """What the table says, in a server's own words."""
    same = NOT_TOLD_APART[server.name]
    return any(may(role, one, folder) for one in (same if verb in same else (verb,)))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says_and_nothing_else(s3_server: Server, role: Role) -> None:
    root, user = as_root(s3_server), as_user(s3_server, role, prefix="")
    found = {folder: tried(root, user, f"{PREFIX}/{folder}") for folder in FOLDERS}
    assert found == {folder: {verb: allowed(s3_server, role, verb, folder) for verb in VERBS} for folder in FOLDERS}


@pytest.mark.parametrize("role", ROLES)
def test_nobody_reaches_another_queue_of_the_same_bucket(s3_server: Server, role: Role) -> None:
    root, user = as_root(s3_server), as_user(s3_server, role, prefix="")
    found = {folder: tried(root, user, folder) for folder in ELSEWHERE}
    assert found == {folder: dict.fromkeys(VERBS, False) for folder in ELSEWHERE}


def tried(root: S3Bucket, user: S3Bucket, folder: str) -> dict[Verb, bool]:
    """Which verbs the server lets a user use on an object below `folder`; each refusal has left the object alone."""
    key = f"{folder}tried" if folder.endswith("/") else folder
    others = root.get(key)
    root.delete(key)  # the queue.json of another test that has run in this process
    first = root.create(key, b"as it was")
    may_get, may_list = works(lambda: user.get(key)), works(lambda: user.list(folder))
    may_create = works(lambda: user.create(key, b"created"))
    may_replace = works(lambda: user.replace(key, b"replaced", first))
    standing = root.get(key)
    assert standing is not None and standing.body == (b"replaced" if may_replace else b"as it was")
    may_delete = works(lambda: user.delete(key))
    assert (root.head(key) is None) == may_delete
    root.delete(key)
    if others is not None:
        root.create(key, others.body)
    return {"get": may_get, "list": may_list, "create": may_create, "replace": may_replace, "delete": may_delete}


def works(call: Callable[[], object]) -> bool:
    """Whether the server did not refuse it. A condition that does not hold is no refusal."""
    try:
        call()
    except Denied:
        return False
    except PreconditionFailed:
        return True
    return True


def test_a_refusal_says_what_to_do(s3_server: Server) -> None:
    with pytest.raises(Denied, match="do not allow this") as caught:
        as_user(s3_server, "reader").create("pending/x", b"{}")
    assert caught.value.hint is not None and "gpujob init" in caught.value.hint


def test_init_by_an_operator_of_a_prefix_was_refused_for_not_asking_about_the_whole_bucket(s3_server: Server) -> None:
    """HEAD of a bucket needs the right to list all of it, which an operator of one queue in it has not."""
    assert as_user(s3_server, "operator").create_bucket() is False


@pytest.mark.parametrize("role", ROLES)
def test_what_is_missing_is_missing_and_not_forbidden(s3_server: Server, role: Role) -> None:
    assert as_user(s3_server, role).head("done/nowhere.json") is None


def test_minio_cannot_be_told_that_results_are_written_once(minio: Server) -> None:
    """It knows no condition on If-None-Match, so a worker there could overwrite a result: docs/security.md says so."""
    from minio import MinioAdmin
    from minio.credentials.providers import StaticProvider
    from minio.error import MinioAdminException

    admin = MinioAdmin(
        endpoint=minio.endpoint.removeprefix("http://"),
        credentials=StaticProvider(minio.access_key, minio.secret_key),
        secure=False,
    )
    statement = {key: value for key, value in write_once(SHARED, PREFIX).items() if key != "Principal"}
    with pytest.raises(MinioAdminException, match="if-none-match"):
        admin.policy_add(policy_name="written-once", policy={"Version": "2012-10-17", "Statement": [statement]})


def test_making_the_users_again_changes_nothing(minio: Server) -> None:
    users = MinioUsers(minio.endpoint, Keys(minio.access_key, minio.secret_key))
    (worker,) = [user for user in users_of(SHARED) if user.role == "worker"]
    assert worker.access_key in users.known()
    users.make("worker", SHARED, PREFIX, name=worker.access_key, secret_key=None)
    as_user(minio, "worker").list("pending/")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("prefix", ["", "team/a/"])
def test_a_policy_stays_under_its_prefix(role: Role, prefix: str) -> None:
    for dialect in ("aws", "minio"):
        document = policy(role, "queue", prefix, dialect=dialect)  # type: ignore[arg-type]
        json.dumps(document)
        listing, *objects = document["Statement"]
        assert listing["Resource"] == ["arn:aws:s3:::queue"]
        for statement in objects:
            if statement["Sid"] != "Facts":
                assert all(one.startswith(f"arn:aws:s3:::queue/{prefix}") for one in statement["Resource"])
        if dialect == "minio" and prefix:
            assert all(one.startswith(prefix) for one in listing["Condition"]["StringLike"]["s3:prefix"])
    assert write_once("queue", prefix)["Resource"] == [f"arn:aws:s3:::queue/{prefix}{folder}*" for folder in WRITE_ONCE]


def test_who_lists_a_bucket_of_aws_can_tell_missing_from_forbidden() -> None:
    """AWS says 403 for a missing object to those whose right to list has a condition: the protocol could not go on."""
    for role in ROLES:
        listing = policy(role, "queue", "team/a", dialect="aws")["Statement"][0]
        assert listing["Action"] == ["s3:ListBucket"] and "Condition" not in listing
