"""Durations and sizes as people write them: `30s`, `1h30m`, `400ms`; `8GB`, `512MiB`.

A bare number is seconds, or bytes. Invariant: what the `exact` forms write, the parsers read back as the same number
(durations to the millisecond).
"""

from __future__ import annotations

import re
from decimal import Decimal

from gpujob.specs.nearest import Refused

MAX_DURATION_S = 10 * 366 * 86_400
MAX_SIZE_BYTES = 2**60

_SECONDS = {"d": Decimal(86_400), "h": Decimal(3_600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_NUMBER = r"(\d{1,19}(?:\.\d{1,9})?)"
_BARE = re.compile(_NUMBER)
_PART = re.compile(_NUMBER + r"\s*(ms|[dhms])\s*")
_SIZE = re.compile(_NUMBER + r"\s*([kmgtp]?)(i?)b?", re.IGNORECASE)

DURATION_FORM = "write it like 30s, 10m, 2h, 400ms or 1h30m; a bare number is seconds"
SIZE_FORM = "write it like 8GB, 512MiB or a number of bytes"


def parse_duration(text: str | float) -> float:
    """Seconds. Raises `Refused` (a ValueError) with the accepted forms."""
    seconds = _seconds_of(text)
    if not 0 <= seconds <= MAX_DURATION_S:
        raise Refused("a duration is at least 0 and at most ten years")
    return seconds


def _seconds_of(text: str | float) -> float:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise Refused("not a duration", DURATION_FORM)
    if not isinstance(text, str):
        return float(min(text, 2 * MAX_DURATION_S))
    stripped = text.strip()
    if _BARE.fullmatch(stripped):
        return float(Decimal(stripped))
    return float(sum(_parts_of(stripped), Decimal(0)))


def _parts_of(text: str) -> list[Decimal]:
    """Each part of `1h30m` in seconds; the units must fall, so that no part is a slip of the pen."""
    parts: list[Decimal] = []
    units = list(_SECONDS)
    position = 0
    while (match := _PART.match(text, position)) is not None:
        number, unit = match.groups()
        if unit not in units:
            break
        units = units[units.index(unit) + 1 :]
        parts.append(Decimal(number) * _SECONDS[unit])
        position = match.end()
    if not parts or position != len(text):
        raise Refused(f"{_short(text)} is not a duration", DURATION_FORM)
    return parts


def format_duration(seconds: float, *, exact: bool = False) -> str:
    """`1h30m`, `1m12s`, `3.2s`, `400ms`: for people, or with `exact` to the millisecond."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 0:
        return "-" + format_duration(-seconds, exact=exact)
    if not exact and 1_000 <= milliseconds < 9_950:
        return f"{milliseconds / 1000:.1f}".removesuffix(".0") + "s"
    if not exact and milliseconds >= 9_950:
        milliseconds = (milliseconds + 500) // 1000 * 1000
    days = milliseconds // 86_400_000 if milliseconds >= 2 * 86_400_000 else 0
    parts = [(days, "d"), ((milliseconds // 3_600_000) - days * 24, "h"), (milliseconds // 60_000 % 60, "m")]
    parts += [(milliseconds // 1_000 % 60, "s"), (milliseconds % 1_000, "ms")]
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def parse_size(text: str | int) -> int:
    """Bytes: `8GB` is 8,000,000,000, `8GiB` is 8,589,934,592. Raises `Refused` (a ValueError) with the forms."""
    size = _bytes_of(text)
    if not 0 <= size <= MAX_SIZE_BYTES:
        raise Refused("a size is at least 0 and at most 1 EiB")
    return size


def _bytes_of(text: str | int) -> int:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise Refused(f"{_short(text)} is not a size", SIZE_FORM)
    number, letter, binary = match.groups()
    size = Decimal(number) * (1024 if binary else 1000) ** _POWERS[letter.lower()]
    if size != size.to_integral_value():
        raise Refused(f"{_short(text)} is not a whole number of bytes", SIZE_FORM)
    return int(size)


def format_size(size_bytes: int, *, exact: bool = False) -> str:
    """`11.9 MB` for people; with `exact` the shortest form that is the very number, such as `512MiB`."""
    if exact:
        return _exact_size(size_bytes)
    number, unit = float(size_bytes), "B"
    for bigger in ("kB", "MB", "GB", "TB", "PB"):
        if abs(number) < 999.5:
            break
        number, unit = number / 1000, bigger
    digits = 0 if unit == "B" or abs(number) >= 99.95 else 1
    return f"{number:.{digits}f} {unit}"


def _exact_size(size_bytes: int) -> str:
    forms = [str(size_bytes)]
    for letter, power in _POWERS.items():
        for base, suffix in ((1000, "B"), (1024, "iB")):
            if power and size_bytes and size_bytes % base**power == 0:
                forms.append(f"{size_bytes // base**power}{letter.upper()}{suffix}")
    return min(forms, key=len)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
