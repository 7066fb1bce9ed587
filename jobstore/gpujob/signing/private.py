"""Private keys: PKCS 8 in PEM, in a file that only its owner can read.

Invariant: a private key leaves this module only as a signature, and one that others could have read is refused.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from gpujob.errors import Configuration
from gpujob.records import Signature
from gpujob.signing.public import PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_FILE_BYTES = 16 * 1024
OTHERS = 0o077


class PrivateKey:
    """What signs. Made by `new_key` and `load_key`."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.id})"

    def sign(self, message: bytes) -> Signature:
        """The signature of these bytes."""
        return Signature(key=self.public.id, value=base64.b64encode(self._key.sign(message)).decode("ascii"))

    def write(self, path: Path) -> None:
        """Writes the key into a new file that only its owner can read. Raises FileExistsError, OSError."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        body = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(body)


def require_library() -> None:
    """Raises Configuration where `cryptography` is not installed."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise Configuration(
            "signing needs the package cryptography", hint="`pip install 'gpujob[sign]'` installs it."
        ) from None


def new_key() -> PrivateKey:
    """A fresh key pair, drawn by the library from the operating system."""
    require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return PrivateKey(Ed25519PrivateKey.generate())


def load_key(path: Path) -> PrivateKey:
    """The key in a file. Raises Configuration where there is none, where it is another kind, or others may read it."""
    require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        if path.stat().st_mode & OTHERS:
            raise Configuration(f"others can read the private key {path}", hint=f"Run `chmod 600 {path}`.")
        with path.open("rb") as stream:
            body = stream.read(MAX_FILE_BYTES)
    except OSError as error:
        raise Configuration(
            f"cannot read the private key {path}: {error.strerror}",
            hint="`gpujob keys new` makes one; `gpujob keys ls` lists yours.",
        ) from None
    try:
        key = load_pem_private_key(body, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = "it has a passphrase" if isinstance(error, TypeError) else "it is no PEM of a private key"
        raise Configuration(f"{path} does not do: {reason}", hint="`gpujob keys new` makes one that does.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Configuration(f"{path} is not an Ed25519 key", hint="`gpujob keys new` makes one.")
    return PrivateKey(key)
