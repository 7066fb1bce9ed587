"""What a policy allows that no role of a queue needs. Pure: statements in, phrases out.

Invariant: what gpujob prints for a role (`gpujob.policies`) is never called too wide, be it the operator's. What a policy
denies again, or allows under a condition only, is not reckoned: a phrase says what it allows, not what is left of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gpujob.policies.roles import under
from gpujob.policies.s3 import policy

ARN = "arn:aws:s3:::"
CHANGES = ("s3:put", "s3:delete")
ON_OBJECTS = ("s3:getobject", "s3:putobject", "s3:deleteobject")
LONGEST_ACTION = 100
LONGEST_PHRASE = 160


def allowing(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a policy that allow something; none where it is no policy."""
    statements = document.get("Statement", ()) if isinstance(document, dict) else ()
    rows = statements if isinstance(statements, list) else [statements]
    return [one for one in rows if isinstance(one, dict) and one.get("Effect") == "Allow"]


def listed(statement: Mapping[str, Any], name: str) -> list[str]:
    """The actions or resources of a statement; with `NotAction` or `NotResource`, everything."""
    if f"Not{name}" in statement:
        return ["*"]
    found = statement.get(name, ())
    return [found] if isinstance(found, str) else [str(one) for one in found] if isinstance(found, list | tuple) else []


def beyond(statements: Iterable[Mapping[str, Any]], bucket: str, prefix: str) -> list[str]:
    """What these statements allow beyond the queue in `bucket` under `prefix`, a phrase for each that does."""
    queue = _Queue(bucket, under(prefix))
    return [phrase for one in statements for phrase in queue.beyond(one)]


class _Queue:
    """A queue, as policies name it, and what its widest role may do there."""

    def __init__(self, bucket: str, at: str) -> None:
        self._bucket = bucket
        self._objects = f"{bucket}/{at}"
        widest = policy("operator", bucket, at, dialect="minio")
        self._needed = {action.lower() for one in widest["Statement"] for action in one["Action"]}

    def beyond(self, statement: Mapping[str, Any]) -> Iterator[str]:
        actions, resources = listed(statement, "Action"), listed(statement, "Resource")
        outside = [one for one in resources if not self._within(one)]
        named = "Condition" not in statement
        wide = [one for one in actions if self._changes_more(one) or (outside and _reaches_objects(one, named))]
        if wide and resources:
            yield f"{', '.join(wide)} on {', '.join(_called(one) for one in outside or resources)}"[:LONGEST_PHRASE]

    def _within(self, resource: str) -> bool:
        """Whether a resource is the bucket itself, or lies in the queue."""
        name = resource.removeprefix(ARN)
        return name == self._bucket or name.startswith(self._objects)

    def _changes_more(self, action: str) -> bool:
        """Whether an action, or a pattern of them, puts or deletes what no role needs to."""
        if action.lower() in self._needed:
            return False
        fixed = action.lower().partition("*")[0].partition("?")[0]
        return any(fixed.startswith(one) or (fixed != action.lower() and one.startswith(fixed)) for one in CHANGES)


def _reaches_objects(action: str, listing: bool) -> bool:
    """Whether an action reads, writes or, where no condition narrows it, lists objects."""
    wanted = (*ON_OBJECTS, "s3:listbucket") if listing else ON_OBJECTS
    return len(action) <= LONGEST_ACTION and any(fnmatchcase(one, action.lower()) for one in wanted)


def _called(resource: str) -> str:
    return "every bucket" if resource in ("*", f"{ARN}*") else resource.removeprefix(ARN)
