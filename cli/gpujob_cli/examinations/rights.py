"""Whether these credentials may do more than any role needs: by their policy, where the store tells it, and by reading.

Invariant: nothing is tried but reads: of the list of buckets, of a listing and of one object's headers beside the queue.
`ok` is said only where a policy was read, or something beside the queue was asked for and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.identity import minio_account
from gpujob_cli.examinations.policy_width import allowing, beyond
from gpujob_cli.examinations.s3_asking import S3Asking

NARROWER = (
    "give workers and submitters the policies that `gpujob init URL --policies` prints, and keep these for the operator"
)
COMPARE = "compare their policy with what `gpujob init URL --policies` prints for each role"
MOST_SAID = 3


@dataclass(frozen=True)
class Reach:
    """How far beyond the queue these credentials see. `other_buckets` may be 0 of 0 where there are no others; `refused`
    says that something beside the queue was asked for and not given.
    """

    other_buckets: int = 0
    lists_beside: bool = False
    reads_beside: bool = False
    refused: bool = False


def look(asking: S3Asking) -> Iterator[Finding]:
    """The finding on the width of these credentials."""
    yield of_reach(reach(asking), allowed_beyond(asking), amazon=asking.is_amazon)


def allowed_beyond(asking: S3Asking) -> list[str] | None:
    """What the policy of these credentials allows beyond the queue; None where the store does not tell the policy."""
    statements = allowing(minio_account(asking).get("Policy"))
    return beyond(statements, asking.name, asking.prefix) if statements else None


def of_reach(found: Reach, allowed: list[str] | None = None, *, amazon: bool = False) -> Finding:
    """A note that names what no worker or submitter needs, or that nothing could be found out."""
    wide = [f"may do {_said(allowed)}"] if allowed else []
    if found.other_buckets:
        wide.append(f"see {found.other_buckets} other bucket{'' if found.other_buckets == 1 else 's'}")
    if found.lists_beside and not amazon:  # whom AWS is to tell missing from forbidden may list the whole bucket
        wide.append("list what is beside the queue")
    if found.reads_beside:
        wide.append("read what is beside the queue")
    facts = {
        "other_buckets": found.other_buckets,
        "lists_beside": found.lists_beside,
        "reads_beside": found.reads_beside,
        "refused": found.refused,
        "allowed_beyond": allowed,
    }
    if wide:
        text = f"these credentials {', '.join(wide)}: more than a worker or a submitter needs"
        return Finding("rights", "note", text, NARROWER, facts=facts)
    if allowed is not None:
        return Finding("rights", "ok", "their policy allows nothing beyond the queue", facts=facts)
    if found.refused:
        return Finding("rights", "ok", "nothing beside the queue could be seen with these credentials", facts=facts)
    text = "not known: there is nothing beside the queue that could have been asked for"
    return Finding("rights", "note", text, COMPARE, facts=facts)


def _said(allowed: list[str]) -> str:
    more = len(allowed) - MOST_SAID
    return "; ".join(allowed[:MOST_SAID]) + (f" and {more} more such things" if more > 0 else "")


def reach(asking: S3Asking) -> Reach:
    """Asks for other buckets, and for what is in this one outside of the queue's prefix."""
    client, name, prefix = asking.client, asking.name, asking.prefix
    buckets = asking.ask(client.list_buckets)
    others = sum(1 for one in buckets.value.get("Buckets") or () if one.get("Name") != name)
    if not prefix:
        return Reach(others, refused=buckets.kind == "denied")
    after = prefix[:-1] + chr(ord("/") + 1)  # the first name that sorts behind everything under the prefix
    pages = [
        asking.ask(lambda: client.list_objects_v2(Bucket=name, MaxKeys=1)),
        asking.ask(lambda: client.list_objects_v2(Bucket=name, MaxKeys=1, StartAfter=after)),
    ]
    beside = [
        key
        for page in pages
        for row in page.value.get("Contents") or ()
        if not (key := str(row.get("Key", prefix))).startswith(prefix)
    ]
    read = asking.ask(lambda: client.head_object(Bucket=name, Key=beside[0])) if beside else None
    refused = any(one is not None and one.kind == "denied" for one in (buckets, *pages, read))
    return Reach(others, any(page.given for page in pages), read is not None and read.given, refused)
