"""What a measurement finds: rows of a figure and the raw figure beside it.

Invariant: a ratio is always gpujob's figure divided by the raw one in the same unit, so below 1 is slower for a rate
(`/s`) and above 1 is slower for a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Unit = Literal["/s", "ms", "s", "requests"]


@dataclass(frozen=True)
class Row:
    """One line of the table. `against` says what the raw figure `raw` is, in the same unit; `detail` what else is known."""

    what: str
    value: float
    unit: Unit
    against: str = ""
    raw: float | None = None
    detail: str = ""

    @property
    def ratio(self) -> float | None:
        """gpujob's figure over the raw one."""
        return self.value / self.raw if self.raw else None

    def as_json(self) -> dict[str, Any]:
        """The row with its ratio, for the file."""
        return {**asdict(self), "ratio": self.ratio}


@dataclass
class Report:
    """Everything that was measured on one store."""

    store: str
    machine: Mapping[str, str]
    quick: bool
    rows: dict[str, list[Row]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    took_s: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The report for the file, measurements by name."""
        return {
            "store": self.store,
            "machine": dict(self.machine),
            "quick": self.quick,
            "seconds": round(self.seconds, 1),
            "measurements": {name: [row.as_json() for row in rows] for name, rows in self.rows.items()},
            "took_s": {name: round(took_s, 1) for name, took_s in self.took_s.items()},
            "left_out": self.left_out,
        }


class LeftOut(Exception):
    """A measurement cannot be made here; the message says why."""
