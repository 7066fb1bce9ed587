"""Least-privilege policies for an S3 bucket that holds a queue, as data: who may touch which keys.

Invariant: no role may do more than the protocol asks of it. A submitter can cancel (that is a `done/` of its own) but
cannot take a lease; a worker cannot submit for others or change the queue's settings; an operator can do all of it.
"""

from __future__ import annotations

from typing import Any, Literal

Role = Literal["submitter", "worker", "operator"]
ROLES: tuple[Role, ...] = ("submitter", "worker", "operator")

_WRITES: dict[Role, tuple[str, ...]] = {
    "submitter": ("pending/", "unique/", "inputs/", "done/"),
    "worker": ("pending/", "leased/", "done/", "artifacts/", "cache/", "workers/", "models/", "dist/"),
    "operator": ("",),
}
# A submitter's deletes clean up after a cancel; a worker's sweep also ends what retention has used up.
_DELETES: dict[Role, tuple[str, ...]] = {
    "submitter": ("pending/", "leased/"),
    "worker": ("pending/", "leased/", "done/", "unique/", "artifacts/", "inputs/", "cache/", "workers/"),
    "operator": ("",),
}


def policy(role: Role, bucket: str, prefix: str = "") -> dict[str, Any]:
    """The policy document for a role on `bucket` under `prefix`; AWS, MinIO and their relatives take it as it is."""
    under = prefix.strip("/") + "/" if prefix.strip("/") else ""
    return {
        "Version": "2012-10-17",
        "Statement": [
            _listing(bucket, under),
            _objects("Read", ["s3:GetObject"], bucket, under, ("",)),
            _objects("Write", ["s3:PutObject", "s3:AbortMultipartUpload"], bucket, under, _WRITES[role]),
            _objects("Delete", ["s3:DeleteObject"], bucket, under, _DELETES[role]),
        ],
    }


def write_once(bucket: str, prefix: str = "") -> dict[str, Any]:
    """A statement for an AWS bucket policy: nobody, whatever their role, can overwrite a result in `done/`."""
    under = prefix.strip("/") + "/" if prefix.strip("/") else ""
    statement = _objects("ResultsAreWrittenOnce", ["s3:PutObject"], bucket, under, ("done/",))
    return {**statement, "Effect": "Deny", "Principal": "*", "Condition": {"Null": {"s3:if-none-match": "true"}}}


def _listing(bucket: str, under: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": "List",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}"],
    }
    if under:
        statement["Condition"] = {"StringLike": {"s3:prefix": [f"{under}*"]}}
    return statement


def _objects(name: str, actions: list[str], bucket: str, under: str, folders: tuple[str, ...]) -> dict[str, Any]:
    resources = [f"arn:aws:s3:::{bucket}/{under}{folder}*" for folder in folders]
    return {"Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources}
