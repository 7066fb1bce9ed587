"""Listings of jobs: what is active, and what ended since a moment. Listings may lag; they are for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from gpujob import keys
from gpujob.buckets.base import Entry
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.ids import smallest_id
from gpujob.protocol.context import Context
from gpujob.protocol.status import Status, of_lease, of_result
from gpujob.records import Lease, Record, Result, decode, is_hint, waiting_job

R = TypeVar("R", bound=Record)
Fetch = Callable[[Callable[[str], Status | None], Iterable[str]], Iterable[Status | None]]


def every_entry(ctx: Context, prefix: str, *, after: str = "") -> Iterator[Entry]:
    """All rows under a prefix, page by page."""
    while True:
        listing = ctx.list(prefix, after=after)
        yield from listing.entries
        if not listing.truncated:
            return
        after = listing.entries[-1].key


def jobs(ctx: Context, *, since: float, limit: int, fetch: Fetch) -> list[Status]:
    """Active jobs, and those that were submitted since `since` and have ended; oldest first, `limit` rows at most.

    `fetch` maps a reader over keys, in parallel where it likes.
    """
    found: dict[str, Status] = {}
    for prefix, after, parse in _sources(since):
        listed = (entry.key for entry in every_entry(ctx, prefix, after=after))
        wanted = _newest((key for key in listed if keys.parse_pending(key) or keys.parse_job(key, prefix)), limit)
        for row in fetch(lambda key, parse=parse: _read(ctx, key, parse), wanted):  # type: ignore[misc]
            if row is not None:
                found[row.id] = row
    return sorted(found.values(), key=lambda row: row.id)[-limit:]


def _newest(found: Iterable[str], limit: int) -> list[str]:
    return sorted(found, key=lambda key: key.rsplit("/", 1)[1])[-limit:]


def _sources(since: float) -> list[tuple[str, str, Callable[[str, bytes, float], Status | None]]]:
    first_done = keys.done(smallest_id(since))
    return [
        (keys.PENDING, "", _pending_row),
        (keys.LEASED, "", _leased_row),
        (keys.DONE, first_done, _done_row),
    ]


def _read(ctx: Context, key: str, parse: Callable[[str, bytes, float], Status | None]) -> Status | None:
    try:
        found = ctx.get(key)
        return None if found is None else parse(key, found.body, found.last_modified)
    except (CorruptRecord, WrongProtocol) as error:
        ctx.skips.note(error)
        return None


def _pending_row(key: str, body: bytes, last_modified: float) -> Status | None:
    where = keys.parse_pending(key)
    if where is None or is_hint(body):
        return None
    return Status(where.id, "queued", pending=waiting_job(key, body, where), pending_since=last_modified)


def _leased_row(key: str, body: bytes, last_modified: float) -> Status | None:
    job_id = keys.parse_job(key, keys.LEASED)
    return None if job_id is None else of_lease(decode(Lease, key, body, whose=job_id), last_modified)


def _done_row(key: str, body: bytes, last_modified: float) -> Status | None:
    job_id = keys.parse_job(key, keys.DONE)
    return None if job_id is None else of_result(decode(Result, key, body, whose=job_id))


def ids_with_prefix(ctx: Context, prefix: str, *, enough: int = 50) -> list[str]:
    """Ids that begin with `prefix`, wherever the jobs are; of each place `enough` keys are looked at, foreign ones too."""
    found: set[str] = set()
    for place in (keys.DONE, keys.LEASED):
        for entry in ctx.list(f"{place}{prefix}", limit=enough).entries:
            job_id = keys.parse_job(entry.key, place)
            if job_id is not None:
                found.add(job_id)
    for priority in keys.LEVELS:
        for entry in ctx.list(keys.pending_prefix(priority, prefix), limit=enough).entries:
            where = keys.parse_pending(entry.key)
            if where is not None:
                found.add(where.id)
    return sorted(found)
