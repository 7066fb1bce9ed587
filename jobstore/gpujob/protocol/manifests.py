"""Every job's manifest, wherever the job stands: for those who ask what is still referred to before they delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gpujob import keys
from gpujob.errors import CorruptRecord, WrongProtocol
from gpujob.protocol.context import Context
from gpujob.protocol.listing import every_entry
from gpujob.records import Lease, Manifest, Result, decode, is_hint


def every_manifest(ctx: Context, unreadable: Callable[[str], None]) -> Iterator[Manifest]:
    """Reads pending, leased and done in the order in which a job moves, so that none that moves meanwhile is missed.

    A job may come twice. What cannot be read is told to `unreadable`: then nobody knows what that job refers to. Foreign
    keys are no jobs.
    """
    for prefix in (keys.PENDING, keys.LEASED, keys.DONE):
        for entry in every_entry(ctx, prefix):
            if not _of_a_job(prefix, entry.key):
                continue
            try:
                manifest = _manifest(ctx, prefix, entry.key)
            except (CorruptRecord, WrongProtocol) as error:
                unreadable(error.message)
                continue
            if manifest is not None:
                yield manifest


def _of_a_job(prefix: str, key: str) -> bool:
    return keys.parse_pending(key) is not None if prefix == keys.PENDING else keys.parse_job(key, prefix) is not None


def _manifest(ctx: Context, prefix: str, key: str) -> Manifest | None:
    found = ctx.get(key)
    if found is None or (prefix == keys.PENDING and is_hint(found.body)):
        return None
    if prefix == keys.PENDING:
        return decode(Manifest, key, found.body)
    if prefix == keys.LEASED:
        return decode(Lease, key, found.body).manifest
    return decode(Result, key, found.body).manifest
