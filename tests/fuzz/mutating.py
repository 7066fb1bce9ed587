"""Alters good input as a fuzzer does, from a generator that the caller owns."""

from __future__ import annotations

import random

PIECES = (
    b"NaN", b"Infinity", b"1e999", b"-1", b"9" * 400, b"null", b"{}", b"[]", b'"', b"\\ud800", b"\x00", b"\xff", b"../",
    b"\x1b[2J", "\u202e".encode(), b"\n", b"[" * 300, b"{\"a\":" * 300, b"&a [*a, *a]", b"true", b"1" * 30,
)  # fmt: skip


def altered(data: bytes, rng: random.Random) -> bytes:
    """The data after one to eight alterations."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(found) + 1)
        to = min(len(found), at + rng.choice((0, 1, 1, 2, 4, 16, 64)))
        how = rng.randrange(4)
        if how == 0:
            found[at:to] = b""
        elif how == 1:
            found[at:to] = rng.choice(PIECES)
        elif how == 2:
            found[at:to] = bytes(rng.randrange(256) for _ in range(to - at))
        else:
            found[at:at] = found[at:to]
    return bytes(found)
