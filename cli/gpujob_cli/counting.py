"""How many jobs wait, counted by listings alone."""

from __future__ import annotations

from gpujob import keys
from gpujob.protocol.listing import every_entry
from gpujob.store import JobStore


def pending_jobs(store: JobStore, *, enough: int) -> int:
    """The jobs under pending/, counted up to `enough`."""
    count = 0
    for entry in every_entry(store.context, keys.PENDING):
        count += keys.parse_pending(entry.key) is not None
        if count >= enough:
            break
    return count
