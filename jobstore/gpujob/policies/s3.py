"""The roles as policy documents for AWS and MinIO, which speak one language and differ in two words of it.

AWS says 404 for an object that is missing only to those who may list its bucket without a condition, and the protocol
must tell missing from forbidden; so there the names of the whole bucket can be listed, and a queue that must hide its
names gets a bucket of its own. MinIO tells missing from forbidden by itself, so there a listing stays in the queue.
MinIO knows no condition on If-None-Match; on AWS one makes results unchangeable for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from gpujob.policies.roles import WRITE_ONCE, Role, folders, under

Dialect = Literal["aws", "minio"]

BUCKET_FACTS = [
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:GetBucketObjectLockConfiguration",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPolicy",
]
"""What `gpujob doctor` asks of the bucket itself. It changes nothing there."""


def policy(role: Role, bucket: str, prefix: str = "", *, dialect: Dialect) -> dict[str, Any]:
    """The policy document for a role on the queue in `bucket` under `prefix`, for a user or a role of that store."""
    at = under(prefix)
    statements = [
        _listing(role, bucket, at, dialect),
        _objects("Read", ["s3:GetObject"], bucket, at, folders(role, "get")),
        _objects("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], bucket, at, folders(role, "create", "replace")),
        _objects("Delete", ["s3:DeleteObject"], bucket, at, folders(role, "delete")),
    ]
    if role == "operator":
        statements.append(_bucket("Facts", BUCKET_FACTS, bucket))
    return {"Version": "2012-10-17", "Statement": [one for one in statements if one["Resource"]]}


def write_once(bucket: str, prefix: str = "") -> dict[str, Any]:
    """A statement for an AWS bucket policy: nobody, whatever their role, overwrites a result or another's job.

    See https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    statement = _objects("WrittenOnce", ["s3:PutObject"], bucket, under(prefix), WRITE_ONCE)
    return {**statement, "Effect": "Deny", "Principal": "*", "Condition": {"Null": {"s3:if-none-match": "true"}}}


def _listing(role: Role, bucket: str, at: str, dialect: Dialect) -> dict[str, Any]:
    statement = _bucket("List", ["s3:ListBucket"], bucket)
    patterns = [f"{at}{folder}*" for folder in folders(role, "list")]
    if dialect == "minio" and patterns != ["*"]:
        statement["Condition"] = {"StringLike": {"s3:prefix": patterns}}
    return statement


def _bucket(name: str, actions: list[str], bucket: str) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}"]}


def _objects(name: str, actions: list[str], bucket: str, at: str, parts: Iterable[str]) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}/{at}{part}{'*' if part.endswith('/') or not part else ''}" for part in parts]
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources}
