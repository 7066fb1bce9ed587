"""A conditional write has three outcomes, never two.

Won: the store said yes to the first send. Lost: it said that the condition did not hold, to the first send. Unknown:
anything else; only a read of the object, looking for the writer's own nonce, tells. Nothing is ever cleaned up on an
unknown outcome, for an absent object may still land later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpujob.buckets.base import Bucket
from gpujob.errors import Busy, PreconditionFailed, Unavailable

Outcome = Literal["won", "lost", "unknown"]


@dataclass(frozen=True, slots=True)
class Write:
    """The outcome of one conditional write, and the new version where it was won."""

    outcome: Outcome
    version: str = ""


LOST = Write("lost")
UNKNOWN = Write("unknown")


def create(bucket: Bucket, key: str, body: bytes) -> Write:
    """Puts `body` if `key` is absent."""
    try:
        return Write("won", bucket.create(key, body))
    except PreconditionFailed:
        return LOST
    except (Unavailable, Busy):
        return UNKNOWN


def replace(bucket: Bucket, key: str, body: bytes, version: str) -> Write:
    """Puts `body` if `key` still has `version`."""
    try:
        return Write("won", bucket.replace(key, body, version))
    except PreconditionFailed:
        return LOST
    except (Unavailable, Busy):
        return UNKNOWN
