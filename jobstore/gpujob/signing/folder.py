"""The user's folder of key pairs: `NAME.pem` signs, `NAME.pub` is what others get.

Invariant: no file is ever replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gpujob.errors import Configuration, Conflict, InvalidSpec, LocalDisk
from gpujob.home_paths import at_home
from gpujob.signing.private import new_key
from gpujob.signing.public import PublicKey, parse_key

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Pair:
    """A key pair of this user: its name, the file of its private half, and its public half."""

    name: str
    path: Path
    public: PublicKey


def make_pair(folder: Path, name: str) -> Pair:
    """A new pair in the folder. Raises InvalidSpec for a bad name, Conflict where there is one of that name, LocalDisk."""
    if not _NAME.fullmatch(name):
        raise InvalidSpec(f"{name!r} is no name for a key", hint="Letters, digits, dots, - and _ are, 64 at most.")
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    taken = next((path for path in (private, public) if path.exists()), None)
    if taken is not None:
        raise Conflict(f"{taken} is there already", hint="Give the new pair another name: `gpujob keys new NAME`.")
    key = new_key()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key.write(private)
        public.write_text(key.public.text + "\n", encoding="ascii")
    except OSError as error:
        raise LocalDisk(f"cannot write into {folder}: {error.strerror}", hint="Make it writable.") from error
    return Pair(name, private, key.public)


def pairs(folder: Path) -> list[Pair]:
    """The pairs in the folder, by name. Raises Configuration for a public half that is none."""
    found = []
    for path in sorted(folder.glob("*.pub")):
        private = path.with_suffix(".pem")
        if private.exists():
            found.append(Pair(path.stem, private, _public(path)))
    return found


def private_path(folder: Path, name_or_path: str) -> Path:
    """The file that a setting means: a pair's name, or a path."""
    named = folder / f"{name_or_path}.pem"
    if _NAME.fullmatch(name_or_path) and (named.exists() or not Path(name_or_path).exists()):
        return named
    return at_home(name_or_path)


def _public(path: Path) -> PublicKey:
    try:
        return parse_key(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise Configuration(
            f"{path} holds no public key: {error}", hint="Move it away with its .pem, and make a new pair."
        ) from None
