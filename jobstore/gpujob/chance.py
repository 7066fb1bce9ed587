"""The only module that draws random numbers; everything else takes a `random.Random` as an argument."""

from __future__ import annotations

import random
import secrets

Random = random.Random


def system_random() -> Random:
    """A generator seeded by the operating system, for nonces, ids and jitter."""
    return random.SystemRandom()


def nonce(rng: Random) -> str:
    """32 hexadecimal digits that nobody else has drawn: how a writer recognises its own write."""
    return f"{rng.getrandbits(128):032x}"


def token() -> str:
    """Eight hexadecimal digits for names of scratch files."""
    return secrets.token_hex(4)


def secret_key() -> str:
    """40 characters that nobody can guess: the secret of a new user of a store."""
    return secrets.token_urlsafe(30)
