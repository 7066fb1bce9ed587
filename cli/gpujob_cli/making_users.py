"""`gpujob init --create-users`: the roles as users of a MinIO server, after consent.

Invariant: a secret key goes to stdout once, in the answer, and nowhere else; the server is asked whether it is a MinIO
and may be administered before anything is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpujob.buckets.opening import StoreUrl, endpoint_of, open_bucket, parse_url
from gpujob.chance import secret_key
from gpujob.errors import Configuration, Denied
from gpujob.policies.minio_users import Keys, MadeUser, MinioUsers, access_key
from gpujob.policies.roles import ABOUT, ROLES
from gpujob_cli.consent import agreed
from gpujob_cli.session import Session

ELSEWHERE = (
    "`gpujob init URL --policies` prints what each role must be allowed; make the users by the store's own means."
)


@dataclass(frozen=True)
class Plan:
    """The users that are to be made, on a server that said who is there already."""

    users: MinioUsers
    store: StoreUrl
    known: frozenset[str]


def plan(session: Session, *, yes: bool) -> Plan | None:
    """Asks the server and the person; None where the person says no. Raises Configuration, Denied, Unavailable."""
    store = parse_url(session.url)
    if store.scheme != "s3":
        raise Configuration(f"{session.url} is no MinIO server, so no users can be made on it", hint=ELSEWHERE)
    endpoint = endpoint_of(open_bucket(session.url))
    if endpoint.endswith(".amazonaws.com"):
        raise Configuration(f"{session.url} is Amazon's, where users are made in IAM", hint=ELSEWHERE)
    users = MinioUsers(endpoint, *_credentials())
    known = users.known()
    names = [access_key(role, store.place, store.prefix) for role in ROLES]
    new = [name for name in names if name not in known]
    kept = f"; {len(names) - len(new)} are there and get today's policy" if len(new) < len(names) else ""
    question = f"Make {len(new)} users and their policies on the MinIO server at {endpoint} ({', '.join(new)}){kept}?"
    return Plan(users, store, known) if agreed(session.out, question, yes=yes) else None


def carry_out(made_for: Plan) -> list[MadeUser]:
    """Makes the users of all roles."""
    found = []
    for role in ROLES:
        there = access_key(role, made_for.store.place, made_for.store.prefix) in made_for.known
        secret = None if there else secret_key()
        found.append(made_for.users.make(role, made_for.store.place, made_for.store.prefix, secret_key=secret))
    return found


def as_lines(users: list[MadeUser]) -> str:
    """The users as variables for a shell or a .env file, a block each."""
    blocks = []
    for user in users:
        lines = [f"# {user.role}: {ABOUT[user.role]}", f"AWS_ACCESS_KEY_ID={user.access_key}"]
        if user.secret_key is None:
            lines.append("# it was there, and keeps its secret key, which only MinIO knows")
        else:
            lines.append(f"AWS_SECRET_ACCESS_KEY={user.secret_key}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def as_json(users: list[MadeUser]) -> list[dict[str, Any]]:
    """The users for --json; `secret_key` is null for one that was there."""
    return [
        {"role": user.role, "access_key": user.access_key, "secret_key": user.secret_key, "policy": user.policy}
        for user in users
    ]


def _credentials() -> tuple[Keys, str]:
    """The keys that botocore finds, and the region it would use."""
    import boto3

    found = boto3.session.Session()
    credentials: Any = found.get_credentials()
    if credentials is None:
        raise Denied(
            "There are no credentials to administer the server with.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the root user's.",
        )
    frozen = credentials.get_frozen_credentials()
    return Keys(frozen.access_key, frozen.secret_key), found.region_name or "us-east-1"
