"""The users of a local server: one for each role, who may do what the protocol asks of that role, and no more.

Invariant: making them again changes nothing; their policies are the ones that `gpujob init` prints.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gpujob.policies.minio_users import Keys, MinioUsers
from gpujob.policies.roles import ROLES, Role, Verb, folders, under
from gpujob.policies.s3 import policy
from localstack.servers import BUCKET, Server


@dataclass(frozen=True)
class User:
    """A user of a local server. Its secret is no secret: the server listens on this machine only."""

    role: Role
    access_key: str
    secret_key: str


def users_of(bucket: str) -> tuple[User, ...]:
    """The users of the queues in a bucket."""
    return tuple(User(role, f"{bucket}-{role}", f"{bucket}-{role}-secret") for role in ROLES)


USERS = users_of(BUCKET)

_SEAWEEDFS: dict[str, tuple[Verb, ...]] = {
    "Read": ("get",),
    "List": ("list",),
    "Write": ("create", "replace", "delete"),
}


def seaweedfs_identities(bucket: str = BUCKET, prefix: str = "") -> list[dict[str, object]]:
    """The same users for SeaweedFS's configuration file, whose actions are named with a bucket and a pattern of keys.

    Its `Write` covers puts and deletes alike, so a folder that a role only deletes from is open to it whole.
    """
    return [
        {
            "name": user.access_key,
            "credentials": [{"accessKey": user.access_key, "secretKey": user.secret_key}],
            "actions": _actions(user.role, bucket, prefix),
        }
        for user in users_of(bucket)
    ]


def _actions(role: Role, bucket: str, prefix: str) -> list[str]:
    at = f"{bucket}/{under(prefix)}"
    return [f"{action}:{at}{part}*" for action, verbs in _SEAWEEDFS.items() for part in folders(role, *verbs)]


def make_minio_users(server: Server, bucket: str = BUCKET, prefix: str = "") -> None:
    """Creates the users and their policies on a running MinIO."""
    users = MinioUsers(server.endpoint, Keys(server.access_key, server.secret_key), server.region)
    for user in users_of(bucket):
        users.make(user.role, bucket, prefix, name=user.access_key, secret_key=user.secret_key)


def as_environment(user: User) -> dict[str, str]:
    """The variables that differ from the root user's."""
    return {"AWS_ACCESS_KEY_ID": user.access_key, "AWS_SECRET_ACCESS_KEY": user.secret_key}


if __name__ == "__main__":
    print(json.dumps({user.role: policy(user.role, BUCKET, dialect="minio") for user in USERS}, indent=2))
