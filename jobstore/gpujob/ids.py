"""Job ids: time-ordered, 26 lower-case Crockford base-32 characters (a ULID: 48 bits of milliseconds, 80 of chance).

Ids sort by the submitter's clock, so a listing of `pending/<p>/` is first in, first out. Nothing but the order rests
on that clock.
"""

from __future__ import annotations

import re

from gpujob.chance import Random

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 26
_ID = re.compile(rf"[0-7][{ALPHABET}]{{25}}")
_PREFIX = re.compile(rf"[0-7][{ALPHABET}]{{0,25}}")


def new_id(now: float, rng: Random) -> str:
    """A fresh id for the moment `now` (seconds since 1970)."""
    return _encode((max(0, int(now * 1000)) & ((1 << 48) - 1)) << 80 | rng.getrandbits(80))


def smallest_id(at: float) -> str:
    """The smallest id of the moment `at`: a listing after it starts at that moment."""
    return _encode((max(0, int(at * 1000)) & ((1 << 48) - 1)) << 80)


def created_at(job_id: str) -> float:
    """The moment in an id, in seconds since 1970, by its submitter's clock."""
    return (_decode(job_id) >> 80) / 1000


def is_id(text: str) -> bool:
    """Whether `text` has the shape of an id."""
    return _ID.fullmatch(text) is not None


def is_id_prefix(text: str) -> bool:
    """Whether `text` could be the beginning of an id."""
    return _PREFIX.fullmatch(text) is not None


def _encode(value: int) -> str:
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def _decode(text: str) -> int:
    value = 0
    for character in text:
        value = value << 5 | ALPHABET.index(character)
    return value
