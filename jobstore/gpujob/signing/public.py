"""Public keys as people pass them on: `ed25519:<base64 of 32 bytes>`, one a line in a file.

Invariant: nothing here can sign, and what is no key of this very form is refused, never guessed at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpujob.errors import Configuration
from gpujob.home_paths import at_home

PREFIX = "ed25519:"
RAW_BYTES = 32
MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class PublicKey:
    """What verifies the signatures of one key pair."""

    raw: bytes

    @property
    def text(self) -> str:
        """The key as people pass it on."""
        return PREFIX + base64.b64encode(self.raw).decode("ascii")

    @property
    def id(self) -> str:
        """The first 16 hexadecimal digits of the key's sha256: how a signature says which key made it."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the private half of this key signed these very bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_key(text: str) -> PublicKey:
    """The key that is written so. Raises ValueError with what is wrong."""
    if not text.startswith(PREFIX):
        raise ValueError(f"{text[:80]!r} does not begin with {PREFIX}")
    try:
        raw = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{text[:80]!r} is not base64 after {PREFIX}") from None
    if len(raw) != RAW_BYTES:
        raise ValueError(f"{text[:80]!r} has {len(raw)} bytes and not {RAW_BYTES}")
    return PublicKey(raw)


def trusted_keys(words: Sequence[str], *, folder: Path, setting: str) -> tuple[PublicKey, ...]:
    """The keys that a setting names: keys, names of pairs in `folder`, or files with a key a line, each key once.

    Raises Configuration for what is none of these, and for a file without a key: an empty list would trust everybody.
    """
    found = (key for word in words for key in _keys_of(word, folder, setting))
    return tuple(dict.fromkeys(found))


def _keys_of(word: str, folder: Path, setting: str) -> Iterable[PublicKey]:
    if word.startswith(PREFIX):
        return [_parsed(word, setting)]
    own = folder / f"{word}.pub"
    path = own if "/" not in word and own.is_file() else at_home(word)
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Configuration(
            f"{setting}: {word!r} is no public key, and cannot be read as a file of them: {reason}",
            hint=f"Name public keys ({PREFIX}...), or files with one a line. `gpujob keys ls` prints yours.",
        ) from None
    lines = (line.split()[0] for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    keys = [_parsed(line, f"{setting}: {path}") for line in lines]
    if not keys:
        raise Configuration(f"{setting}: {path} holds no key", hint=f"Write one a line: {PREFIX}...")
    return keys


def _parsed(text: str, where: str) -> PublicKey:
    try:
        return parse_key(text)
    except ValueError as error:
        raise Configuration(
            f"{where}: {error}", hint="`gpujob keys ls` prints the public keys of your pairs."
        ) from None
