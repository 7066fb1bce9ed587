"""What the values in a record may be: moments that a calendar knows, durations and counts that somebody can reach.

Invariant: arithmetic on what passes here neither overflows nor yields NaN, and a text that passes as a nonce, a kind or
an idempotency key stays within its part of a key.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from gpujob.keys import KIND, is_idempotency_key

LONGEST_S = 10 * 366 * 86400.0  # no duration of a job or a queue is longer
END_OF_TIME = 253_402_300_799.0  # the last second of the year 9999, which calendars still know
MAX_COUNT = 10**12
MAX_PRESENCE_EVERY_S = 3600.0


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """The value, which must be what JSON can say: Python's reader takes NaN and 1e999 too."""
    left: list[Any] = [value]
    while left:
        one = left.pop()
        if isinstance(one, float) and not math.isfinite(one):
            raise ValueError("a number in it is not finite")
        if isinstance(one, int) and not -(2**63) <= one < 2**64:
            raise ValueError("a whole number in it has more than 64 bits")
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list | tuple):
            left += one
    return value


def _key_or_none(key: str | None) -> str | None:
    if key is not None and not is_idempotency_key(key):
        raise ValueError("not an idempotency key")
    return key


Moment = Annotated[float, Field(ge=0, le=END_OF_TIME)]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_S)]
Spent = Annotated[float, Field(ge=-LONGEST_S, le=END_OF_TIME)]
LeaseSeconds = Annotated[float, Field(ge=2, le=86400)]  # the owner's margin is a second at least
BeatSeconds = Annotated[float, Field(ge=0.05, le=86400)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Version = Annotated[int, Field(ge=1)]
Nonce = Annotated[str, Field(pattern="^[0-9A-Za-z_-]{1,64}$")]
Kind = Annotated[str, Field(pattern=f"^{KIND}$", max_length=200)]
Plain = Annotated[dict[str, Any], AfterValidator(_finite)]
Key = Annotated[str | None, AfterValidator(_key_or_none)]
