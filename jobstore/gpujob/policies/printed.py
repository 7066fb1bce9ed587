"""What `gpujob init URL --policies` prints: everything that a store's own tools need to make the roles."""

from __future__ import annotations

from typing import Any

from gpujob.policies import google
from gpujob.policies.roles import ROLES
from gpujob.policies.s3 import policy, write_once


def for_s3(bucket: str, prefix: str) -> dict[str, Any]:
    """A document for each role, in the words of AWS and of MinIO; and for AWS a statement of the bucket's own policy."""
    aws: dict[str, Any] = {role: policy(role, bucket, prefix, dialect="aws") for role in ROLES}
    minio = {role: policy(role, bucket, prefix, dialect="minio") for role in ROLES}
    return {"aws": aws | {"bucket_policy_statement": write_once(bucket, prefix)}, "minio": minio}


def for_google(bucket: str, prefix: str) -> dict[str, Any]:
    """The custom roles of a project, and for each role of the queue its bindings on the bucket."""
    bound = {role: google.bindings(role, bucket, prefix) for role in ROLES}
    return {"google": {"custom_roles": google.custom_roles(), "bindings": bound}}
