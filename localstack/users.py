"""The users of a local server: a submitter and a worker who may do what the protocol asks of them, and no more.

Invariant: making them again changes nothing; their policies are the ones that `gpujob init` prints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gpujob.buckets.s3_policies import Role, policy
from localstack.servers import BUCKET, Server


@dataclass(frozen=True)
class User:
    """A user of a local server. Its secret is no secret: the server listens on this machine only."""

    role: Role
    access_key: str
    secret_key: str


USERS = (
    User("submitter", "gpujob-submitter", "gpujob-submitter-secret"),
    User("worker", "gpujob-worker", "gpujob-worker-secret"),
)


def seaweedfs_identities(bucket: str = BUCKET) -> list[dict[str, object]]:
    """The same users for SeaweedFS's configuration file, which knows four actions on a bucket and its folders."""
    return [
        {
            "name": user.role,
            "credentials": [{"accessKey": user.access_key, "secretKey": user.secret_key}],
            "actions": [f"Read:{bucket}", f"List:{bucket}", *_seaweedfs_writes(user.role, bucket)],
        }
        for user in USERS
    ]


def make_minio_users(server: Server, bucket: str = BUCKET) -> None:
    """Creates the users and their policies on a running MinIO."""
    from minio import MinioAdmin
    from minio.credentials.providers import StaticProvider

    admin = MinioAdmin(
        endpoint=server.endpoint.removeprefix("http://"),
        credentials=StaticProvider(server.access_key, server.secret_key),
        region=server.region,
        secure=False,
    )
    for user in USERS:
        name = f"gpujob-{user.role}"
        admin.policy_add(policy_name=name, policy=policy(user.role, bucket))
        admin.user_add(access_key=user.access_key, secret_key=user.secret_key)
        _attach(admin, name, user)


def _attach(admin: object, name: str, user: User) -> None:
    from minio.error import MinioAdminException

    try:
        admin.attach_policy(policies=[name], user=user.access_key)  # type: ignore[attr-defined]
    except MinioAdminException as error:
        if "PolicyChangeAlreadyApplied" not in str(error) + str(getattr(error, "_body", "")):
            raise


def _seaweedfs_writes(role: Role, bucket: str) -> list[str]:
    """Its `Write` covers puts and deletes alike, so a folder that a role only deletes from is open to it whole."""
    document = policy(role, bucket)
    changes = [entry for entry in document["Statement"] if entry["Sid"] in ("Write", "Delete")]
    resources = {resource for entry in changes for resource in entry["Resource"]}
    return sorted(f"Write:{resource.removeprefix('arn:aws:s3:::')}" for resource in resources)


def as_environment(user: User) -> dict[str, str]:
    """The variables that differ from the root user's."""
    return {"AWS_ACCESS_KEY_ID": user.access_key, "AWS_SECRET_ACCESS_KEY": user.secret_key}


if __name__ == "__main__":
    print(json.dumps({user.role: policy(user.role, BUCKET) for user in USERS}, indent=2))
