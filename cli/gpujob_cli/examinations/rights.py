"""Whether these credentials may do more than any role needs, found out by reading what no role has to read.

Invariant: nothing is tried but reads: of the list of buckets, of a listing and of one object's headers beside the queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpujob_cli.examinations.findings import Finding
from gpujob_cli.examinations.s3_asking import S3Asking

NARROWER = (
    "give workers and submitters the policies that `gpujob init URL --policies` prints, and keep these for the operator"
)


@dataclass(frozen=True)
class Reach:
    """How far beyond the queue these credentials see. `other_buckets` may be 0 of 0 where there are no others."""

    other_buckets: int = 0
    lists_beside: bool = False
    reads_beside: bool = False


def look(asking: S3Asking) -> Iterator[Finding]:
    """The finding on the width of these credentials."""
    yield of_reach(reach(asking), amazon=asking.is_amazon)


def of_reach(found: Reach, *, amazon: bool = False) -> Finding:
    """A note that names what no worker or submitter needs."""
    wide = []
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
    }
    if wide:
        text = f"these credentials {', '.join(wide)}: more than a worker or a submitter needs"
        return Finding("rights", "note", text, NARROWER, facts=facts)
    return Finding("rights", "ok", "nothing beside the queue could be seen with these credentials", facts=facts)


def reach(asking: S3Asking) -> Reach:
    """Asks for other buckets, and for what is in this one outside of the queue's prefix."""
    client, name, prefix = asking.client, asking.name, asking.prefix
    buckets = asking.ask(client.list_buckets).value.get("Buckets") or ()
    others = sum(1 for one in buckets if one.get("Name") != name)
    if not prefix:
        return Reach(others)
    after = prefix[:-1] + chr(ord("/") + 1)  # the first name that sorts behind everything under the prefix
    pages = [
        asking.ask(lambda: client.list_objects_v2(Bucket=name, MaxKeys=1)),
        asking.ask(lambda: client.list_objects_v2(Bucket=name, MaxKeys=1, StartAfter=after)),
    ]
    beside = [
        row["Key"] for page in pages for row in page.value.get("Contents") or () if not row["Key"].startswith(prefix)
    ]
    read = bool(beside) and asking.ask(lambda: client.head_object(Bucket=name, Key=beside[0])).given
    return Reach(others, any(page.given for page in pages), read)
