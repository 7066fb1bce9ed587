"""How many jobs wait and run, and whether anybody will ever take the one that has waited longest.

Invariant: a thousand jobs of each place at most, and a fixed number of leases, whatever the queue holds. What is no job of
its place is neither counted nor crowds one out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from gpujob import keys
from gpujob.buckets.base import Entry
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.protocol.status import status
from gpujob.records import Lease, decode
from gpujob.specs.quantities import format_duration
from gpujob.why import Reason, ask
from gpujob_cli.examinations.findings import Finding
from gpujob_cli.watching import NOBODY

MOST_COUNTED = 1000
MOST_KEYS = 5000  # are listed of each place for them
MOST_LEASES_READ = 20

T = TypeVar("T")


@dataclass
class Backlog:
    """What was counted. `more` says that there may be more than were counted; `oldest` is the id that has waited longest."""

    waiting: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    leased: int = 0
    running: int = 0
    held_back: int = 0
    read: int = 0
    more: bool = False
    oldest: str = ""
    oldest_s: float = 0.0

    @property
    def jobs_waiting(self) -> int:
        """All jobs under pending/ that were counted."""
        return sum(self.waiting.values())


def look(ctx: Context) -> Iterator[Finding]:
    """The finding on the jobs of the queue: a listing of each of four places, or a few, and some reads."""
    found = count(ctx)
    yield of_backlog(found, _reason(ctx, found.oldest) if found.oldest else None)


def count(ctx: Context) -> Backlog:
    """Counts up to `MOST_COUNTED` jobs of each place."""
    found = Backlog()
    for priority in keys.LEVELS:
        for entry, where in _ours(ctx, keys.pending_prefix(priority), keys.parse_pending, found):
            found.waiting[priority] = found.waiting.get(priority, 0) + 1
            found.kinds[where.kind] = found.kinds.get(where.kind, 0) + 1
            age_s = max(0.0, ctx.store_now() - entry.last_modified)
            if not found.oldest or age_s > found.oldest_s:
                found.oldest, found.oldest_s = where.id, age_s
    _count_leases(ctx, found)
    return found


def of_backlog(found: Backlog, reason: Reason | None) -> Finding:
    """The counts as a finding; a note where nobody will take the oldest job."""
    facts = {
        "waiting": found.waiting,
        "kinds": found.kinds,
        "leased": found.leased,
        "running_of_read": found.running,
        "held_back_of_read": found.held_back,
        "leases_read": found.read,
        "more": found.more,
        "oldest": found.oldest,
        "oldest_s": round(found.oldest_s, 1),
        "reason": reason.code if reason else "",
    }
    if not found.jobs_waiting and not found.leased and found.more:
        text = f"not known: of the first {MOST_KEYS} keys of each place none is a job's"
        return Finding("jobs", "note", text, "gpujob fsck", facts=facts)
    if not found.jobs_waiting and not found.leased:
        return Finding("jobs", "ok", "none waits, none runs", facts=facts)
    text = f"{found.jobs_waiting}{' or more' if found.more else ''} waiting, {_leases(found)}"
    if reason is None:
        return Finding("jobs", "ok", text, facts=facts)
    text += f"; {found.oldest} has waited longest, {format_duration(max(1.0, round(found.oldest_s)))}: {reason.text}"
    if reason.code in NOBODY:
        return Finding("jobs", "note", text, reason.hint or f"gpujob show {found.oldest}", facts=facts)
    return Finding("jobs", "ok", text, facts=facts)


def _count_leases(ctx: Context, found: Backlog) -> None:
    ours = list(_ours(ctx, keys.LEASED, lambda key: keys.parse_job(key, keys.LEASED), found))
    found.leased = len(ours)
    for entry, job_id in ours[:MOST_LEASES_READ]:
        try:
            object_ = ctx.get(entry.key)
            if object_ is None:
                continue
            lease = decode(Lease, entry.key, object_.body, whose=job_id)
        except (CorruptRecord, WrongProtocol):
            continue
        found.read += 1
        found.running += lease.state == "run"
        found.held_back += lease.state == "wait"


def _ours(ctx: Context, prefix: str, parse: Callable[[str], T | None], found: Backlog) -> Iterator[tuple[Entry, T]]:
    """The keys of jobs under a prefix, with what they say; `found.more` becomes true where not all were looked at."""
    counted = 0
    for looked_at, entry in enumerate(every_entry(ctx, prefix)):
        if looked_at == MOST_KEYS or counted == MOST_COUNTED:
            found.more = True
            return
        parsed = parse(entry.key)
        if parsed is not None:
            counted += 1
            yield entry, parsed


def _leases(found: Backlog) -> str:
    if not found.leased:
        return "none running"
    if found.read == found.leased:
        return f"{found.running} running, {found.held_back} waiting for another attempt"
    return f"{found.leased} with workers or waiting for another attempt (of {found.read} read, {found.running} run)"


def _reason(ctx: Context, job_id: str) -> Reason | None:
    try:
        found = status(ctx, job_id)
    except (CorruptRecord, WrongProtocol):
        return None
    return None if found is None or found.result is not None else ask(ctx, found)
