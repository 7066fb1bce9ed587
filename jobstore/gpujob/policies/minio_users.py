"""The roles as users of a MinIO server, made through its administration (the `minio` extra).

Invariant: making them again changes no key: a user that is there keeps its secret, which only MinIO knows, and gets
today's policy. A secret is handed out once, to whoever made the user, and is in no message and no log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from gpujob.errors import Configuration, Denied, Unavailable
from gpujob.policies.roles import Role, under
from gpujob.policies.s3 import policy

if TYPE_CHECKING:
    from minio import MinioAdmin

T = TypeVar("T")

CONNECT_S, READ_S = 5.0, 20.0


@dataclass(frozen=True)
class Keys:
    """An access key and its secret, which no `repr` shows."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class MadeUser:
    """A user of a role and its policy. `secret_key` is there only where this call made the user."""

    role: Role
    access_key: str
    policy: str
    secret_key: str | None = field(default=None, repr=False)


def access_key(role: Role, bucket: str, prefix: str = "") -> str:
    """The name of a role's user, and of its policy: another queue on the same server has others."""
    queue = "-".join(part for part in (bucket, *prefix.strip("/").split("/")) if part)
    return f"{queue}-{role}"


class MinioUsers:
    """The administration of one MinIO server, as far as a queue's users need it.

    Every call raises Configuration for a server that is no MinIO, Denied for credentials that may not administer it,
    Unavailable for one that does not answer.
    """

    def __init__(self, endpoint: str, root: Keys, region: str = "us-east-1") -> None:
        self._endpoint = endpoint
        self._admin = _admin(endpoint, root, region)

    def known(self) -> frozenset[str]:
        """The access keys of the server's users."""
        return frozenset(json.loads(self._ask(self._admin.user_list)))

    def make(
        self, role: Role, bucket: str, prefix: str = "", *, name: str | None = None, secret_key: str | None
    ) -> MadeUser:
        """Makes sure of a role's policy and its user. Without a `secret_key` the user is there, and keeps its own."""
        label = access_key(role, bucket, under(prefix))
        user = name or label
        document = policy(role, bucket, prefix, dialect="minio")
        self._ask(lambda: self._admin.policy_add(policy_name=label, policy=document))
        if secret_key is not None:
            self._ask(lambda: self._admin.user_add(access_key=user, secret_key=secret_key))
        self._attach([label], user)
        return MadeUser(role, user, label, secret_key)

    def _attach(self, policies: Sequence[str], user: str) -> None:
        """Attaches policies; that they were attached already, which MinIO calls an error, is what was wanted."""
        from minio.error import MinioAdminException

        try:
            self._admin.attach_policy(policies=list(policies), user=user)
        except MinioAdminException as error:
            if "PolicyChangeAlreadyApplied" not in _body(error):
                raise self._explained(error) from None

    def _ask(self, call: Callable[[], T]) -> T:
        from minio.error import MinioAdminException
        from urllib3.exceptions import HTTPError

        try:
            return call()
        except MinioAdminException as error:
            raise self._explained(error) from None
        except HTTPError:
            raise Unavailable(
                f"The MinIO server at {self._endpoint} does not answer.", hint="Is it running, and reachable from here?"
            ) from None
        except ValueError:  # what comes back is encrypted with the secret key, or it is no MinIO that speaks
            raise self._no_minio() from None

    def _explained(self, error: Exception) -> Configuration:
        body = _body(error)
        if "AccessDenied" in body or "InvalidAccessKeyId" in body or "SignatureDoesNotMatch" in body:
            return Denied(
                f"These credentials may not administer the server at {self._endpoint}.",
                hint="Use the root user's, or those of a user with the policy consoleAdmin; the roles' own need not.",
            )
        if '"Resource":"/minio/admin' in body:  # others answer in XML, that there is no such bucket
            return Configuration(f"The MinIO server at {self._endpoint} refused this: {' '.join(body.split())[:300]}")
        return self._no_minio()

    def _no_minio(self) -> Configuration:
        return Configuration(
            f"The server at {self._endpoint} is no MinIO, so no users can be made on it from here.",
            hint="`gpujob init URL --policies` prints what each role must be allowed; make the users by its own means.",
        )


def _body(error: Exception) -> str:
    return f"{error} {getattr(error, '_body', '')}"


def _admin(endpoint: str, root: Keys, region: str) -> MinioAdmin:
    """Raises Configuration where the `minio` package is missing."""
    try:
        from minio import MinioAdmin
        from minio.credentials.providers import StaticProvider
    except ImportError:
        raise Configuration(
            "users are made with the package minio, which is not installed", hint="pip install 'gpujob[minio]'"
        ) from None
    from urllib3 import PoolManager, Retry, Timeout

    parts = urlsplit(endpoint)
    pool = PoolManager(timeout=Timeout(connect=CONNECT_S, read=READ_S), retries=Retry(total=2, backoff_factor=0.2))
    return MinioAdmin(
        endpoint=parts.netloc.rpartition("@")[2],
        credentials=StaticProvider(root.access_key, root.secret_key),
        region=region,  # without it the package asks for the bucket's location
        secure=parts.scheme == "https",
        http_client=pool,
    )
