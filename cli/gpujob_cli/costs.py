"""What a queue costs in requests, and what the requests cost. Pure.

Polling is the bill: an idle worker's listings outnumber everything else. Prices are the vendors' of November 2026 for
1,000 requests; deletes are free everywhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gpujob.decisions import margin_s
from gpujob.protocol.poll import LONGEST_IDLE_S
from gpujob.records import Presence, QueueConfig
from gpujob_cli.watching import LONGEST_PAUSE_S, WORKERS_EVERY_S

MONTH_S = 30 * 86400.0
IDLE_SHARE = 0.875  # of the longest pause, on average: its last quarter is drawn
SWEEP_EVERY_S = 600.0
SWEEP_LISTS = 3


@dataclass(frozen=True)
class Requests:
    """How many requests of each billed class."""

    writes: float = 0.0  # PUT and LIST
    reads: float = 0.0  # GET and HEAD


@dataclass(frozen=True)
class Prices:
    """Dollars for 1,000 requests of each class, and what is free each month."""

    of: str
    writes: float
    reads: float
    free_writes: float = 0.0
    stored: float = 0.0  # dollars for a gigabyte and month

    def each(self, requests: Requests) -> float:
        """Dollars for these requests, with nothing free."""
        return (requests.writes * self.writes + requests.reads * self.reads) / 1000

    def of_requests(self, requests: Requests) -> float:
        """Dollars for these requests in one month."""
        billed = max(0.0, requests.writes - self.free_writes)
        return (billed * self.writes + requests.reads * self.reads) / 1000


@dataclass(frozen=True)
class OldVersions:
    """What a bucket that keeps versions keeps: beats of a job in an hour, and of a worker busy for a month."""

    an_hour: float
    a_month: float
    bytes_a_month: float


S3 = Prices("AWS S3", 0.005, 0.0004, stored=0.023)
R2 = Prices("Cloudflare R2", 0.0045, 0.00036, free_writes=1_000_000, stored=0.015)
GCS = Prices("Google Cloud Storage", 0.005, 0.0004, stored=0.020)

_GOOGLE_IN_A_REGION = re.compile(r"storage\.[a-z0-9-]+\.rep\.googleapis\.com")

ONE_JOB = Requests(writes=3, reads=3)
USUAL_LEASE_BYTES = 2048.0
PRESENCE_BYTES = 1024.0
WAITER_LISTS = 2  # the workers, and those before it in line


def old_versions(config: QueueConfig, lease_bytes: float) -> OldVersions:
    """What one busy worker leaves behind in a bucket that keeps versions: its beats, and its word that it lives."""
    hours = MONTH_S / 3600
    an_hour = 3600 / config.beat_s
    presences = MONTH_S / Presence.model_fields["every_s"].default
    return OldVersions(an_hour, an_hour * hours + presences, an_hour * hours * lease_bytes + presences * PRESENCE_BYTES)


def waiter_hour() -> Requests:
    """What `gpujob wait` sends in an hour for one job that waits, with one worker; one that runs costs no LIST."""
    asks = 3600 / WORKERS_EVERY_S
    return Requests(writes=WAITER_LISTS * asks, reads=3600 / LONGEST_PAUSE_S + asks)


def idle_worker(config: QueueConfig) -> Requests:
    """What one worker sends in a month in which there is nothing to do."""
    pending = MONTH_S / (LONGEST_IDLE_S * IDLE_SHARE)
    leased = MONTH_S / (config.ttl_s + margin_s(config.ttl_s))
    presence = MONTH_S / Presence.model_fields["every_s"].default
    return Requests(writes=pending + leased + presence + SWEEP_LISTS * MONTH_S / SWEEP_EVERY_S)


def prices_at(endpoint: str) -> Prices | None:
    """The price list behind an endpoint; None where requests cost nothing or nobody here knows."""
    host = urlsplit(endpoint).hostname or ""
    for suffix, prices in (("amazonaws.com", S3), ("r2.cloudflarestorage.com", R2), ("storage.googleapis.com", GCS)):
        if host == suffix or host.endswith("." + suffix):
            return prices
    return GCS if _GOOGLE_IN_A_REGION.fullmatch(host) else None
