"""Which request meets which fault: by seed, with the chances that a plan gives.

Invariant: the decision knows the number of the request and nothing else of time or order, so that a seed gives the same
faults to the same sequence of requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Fault = Literal[
    "",
    "request dropped",  # closed before anything was forwarded
    "answer dropped",  # applied, then closed
    "request late",  # forwarded when the client has long given up: it still lands
    "answer late",  # applied at once, answered when the client has given up
    "request reset",  # half of it forwarded, then both connections reset
    "answer reset",  # applied, half of the answer, then reset
    "500",  # refused, not applied
    "500 after",  # applied, and then 500
    "503",  # SlowDown, not applied
    "429",  # TooManyRequests, not applied
    "answer truncated",  # an orderly end after half of the body
    "request altered",  # other bytes than the checksum in the request says
    "answer altered",  # other bytes than the store has; a listing has no checksum, only TLS guards it
]

ON_ANY: tuple[Fault, ...] = (
    "request dropped", "answer dropped", "request late", "answer late", "request reset", "answer reset",
    "500", "500 after", "503", "429",
)  # fmt: skip
ON_BODY_SENT: tuple[Fault, ...] = ("request altered",)
ON_BODY_READ: tuple[Fault, ...] = ("answer truncated", "answer altered")
ALL: tuple[Fault, ...] = (*ON_ANY, *ON_BODY_SENT, *ON_BODY_READ)


@dataclass(frozen=True)
class Chances:
    """How often something goes wrong, 0 to 1; every kind that fits a request is as likely as any other."""

    rate: float
    kinds: tuple[Fault, ...] = ALL


class Draws:
    """The faults of one run."""

    def __init__(self, chances: Chances, seed: int) -> None:
        self.chances = chances
        self.random = Random(seed)

    def next(self, method: str, body_bytes: int, *, listing: bool = False) -> Fault:
        """What the next request meets; empty for nothing."""
        if self.random.random() >= self.chances.rate:
            return ""
        fitting = [kind for kind in self.chances.kinds if fits(kind, method, body_bytes, listing)]
        return self.random.choice(fitting) if fitting else ""


def fits(kind: Fault, method: str, body_bytes: int, listing: bool) -> bool:
    """Whether a request of that method, with a body of that size, can meet the fault."""
    if kind == "answer altered":
        return method == "GET" and not listing
    if kind in ON_BODY_SENT:
        return body_bytes > 0
    if kind in ON_BODY_READ:
        return method == "GET"
    return True


def altered(body: bytes, random: Random) -> bytes:
    """The body with one byte changed."""
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ random.randrange(1, 256)]) + body[at + 1 :]
