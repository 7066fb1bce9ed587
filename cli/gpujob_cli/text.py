"""Text for a terminal: moments, lengths of time, tables.

Invariant: any number that a record may hold has a text, and what is in a table is `clean`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from gpujob.plain_text import clean

__all__ = ["ago", "clean", "clock", "iso", "shorten", "table"]


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters, with dots where it was cut."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def iso(seconds: float | None) -> str | None:
    """A moment as ISO 8601 in UTC, for JSON."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(seconds: float) -> str:
    """`0:21`, `4:11`, `1:02:03`: a length of time as players show it."""
    whole = max(0, round(min(seconds, 1e9))) if math.isfinite(seconds) else 0
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def ago(seconds: float) -> str:
    """`just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 days ago`: a time relative to now, for people."""
    if seconds < 1:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            number = int(seconds // size)
            plural = "s" if unit == "day" and number > 1 else ""
            return f"{number} {unit}{plural} ago"
    raise AssertionError(seconds)


def table(rows: list[list[str]], *, header: list[str], width: int | None = None) -> list[str]:
    """Lines of aligned columns; with a `width`, the last column is cut to fit."""
    cells = [[clean(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    made = ["  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in cells]
    return [shorten(line, width) for line in made] if width else made
