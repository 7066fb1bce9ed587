"""Who may read or write the queue without being asked who they are.

Invariant: `ok` is said only when a request without a signature was really refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gpujob import keys
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.s3_asking import S3Asking

EVERYBODY = ("AllUsers", "AuthenticatedUsers")
CLOSE = (
    "close the bucket to the public (aws s3api delete-bucket-policy --bucket {bucket}), then give each role its policy"
)


def look(asking: S3Asking) -> Iterator[Finding]:
    """What the bucket's policy and its access list say, and what a request without credentials gets."""
    found = [*_of_policy(asking), *_of_list(asking)]
    yield from found
    yield from without_credentials(asking, told=bool(found))


def without_credentials(asking: S3Asking, *, told: bool = False) -> Iterator[Finding]:
    """What a request gets that nobody signed; silent where it is `told` already why it gets something."""
    opened = _opened(asking)
    if opened and not told:
        text = f"{' and '.join(opened)} without any credentials"
        if asking.on_loopback:
            yield Finding(
                "public", "note", f"{text}, on this machine", "switch the server's users on", facts={"open": opened}
            )
        else:
            yield Finding("public", "broken", text, "switch the store's access control on", facts={"open": opened})
    elif not told and opened is not None:
        yield Finding("public", "ok", "a request without credentials is refused", facts={"open": []})
    elif not told:
        yield Finding("public", "note", "not known: a request without credentials got no clear answer")


def open_statements(policy: str, bucket: str, prefix: str) -> list[tuple[str, bool]]:
    """What a bucket policy allows everybody on the queue: the actions, and whether under a condition."""
    try:
        statements = json.loads(policy).get("Statement", ())
    except (ValueError, RecursionError, AttributeError):
        return []
    rows = statements if isinstance(statements, list) else [statements]
    return [(_actions(row), bool(row.get("Condition"))) for row in rows if _is_open(row, bucket, prefix)]


def _of_policy(asking: S3Asking) -> Iterator[Finding]:
    answer = asking.ask(lambda: asking.client.get_bucket_policy(Bucket=asking.name))
    for actions, conditional in open_statements(str(answer.value.get("Policy", "")), asking.name, asking.prefix):
        text = f"the bucket's policy allows everybody {actions}{', under a condition' if conditional else ''}"
        facts = {"by": "policy", "actions": actions, "conditional": conditional}
        yield Finding(
            "public", "note" if conditional else "broken", text, CLOSE.format(bucket=asking.name), facts=facts
        )


def _of_list(asking: S3Asking) -> Iterator[Finding]:
    answer = asking.ask(lambda: asking.client.get_bucket_acl(Bucket=asking.name))
    for grant in answer.value.get("Grants") or ():
        who = str((grant.get("Grantee") or {}).get("URI", "")).rsplit("/", 1)[-1]
        if who in EVERYBODY:
            text = f"the bucket's access list gives {who} {grant.get('Permission', '')}"
            remedy = f"aws s3api put-bucket-acl --acl private --bucket {asking.name}"
            yield Finding("public", "broken", text, remedy, facts={"by": "acl", "who": who})


def _opened(asking: S3Asking) -> list[str] | None:
    """What a request without a signature gets of the queue; None where no answer came.

    "It is not there" is told only to who may read: there is no queue yet, and everybody could read it.
    """
    name, prefix, anonymous = asking.name, asking.prefix, asking.anonymous
    read = asking.ask(lambda: anonymous.head_object(Bucket=name, Key=prefix + keys.QUEUE))
    listed = asking.ask(lambda: anonymous.list_objects_v2(Bucket=name, Prefix=prefix, MaxKeys=1))
    if "silent" in (read.kind, listed.kind):
        return None
    found = ["objects can be read"] if read.kind in ("given", "absent") else []
    return [*found, "the queue can be listed"] if listed.given else found


def _is_open(row: Any, bucket: str, prefix: str) -> bool:
    if not isinstance(row, dict) or row.get("Effect") != "Allow":
        return False
    principal = row.get("Principal")
    named = principal.get("AWS", ()) if isinstance(principal, Mapping) else principal
    everybody = "NotPrincipal" in row or named == "*" or (isinstance(named, list) and "*" in named)
    return everybody and any(_reaches(str(one), bucket, prefix) for one in _listed(row.get("Resource", "*")))


def _reaches(resource: str, bucket: str, prefix: str) -> bool:
    """Whether a resource pattern may mean something of the queue, going by what stands before its first wildcard."""
    fixed = resource.partition("*")[0].partition("?")[0].removeprefix("arn:aws:s3:::")
    queue = f"{bucket}/{prefix}"
    return queue.startswith(fixed) or fixed.startswith(queue)


def _actions(row: Mapping[str, Any]) -> str:
    actions = _listed(row.get("Action", ()))
    return ", ".join(str(one) for one in actions) or "everything that it does not list"


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []
