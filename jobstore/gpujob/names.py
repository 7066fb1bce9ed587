"""Which names files may have when they are placed together in one folder.

Invariant: names that pass stay in their folder and are different files on every file system, also on those that see no
difference between `A` and `a`, or between two spellings of `é`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from gpujob import keys
from gpujob.errors import UnsafeName

PARTS = ".gpujob-part"  # where unfinished downloads live
MAX_COMPONENT_BYTES = 255


def check_names(names: Iterable[str]) -> None:
    """Raises UnsafeName unless all names can stand side by side in one folder, on any file system."""
    files: dict[str, str] = {}
    for name in names:
        plain = _plain(keys.artifact_name(name))
        if plain.split("/")[0] == PARTS:
            raise UnsafeName(f"{name!r} is refused: {PARTS} is where unfinished downloads live")
        if any(len(part.encode()) > MAX_COMPONENT_BYTES for part in name.split("/")):
            raise UnsafeName(f"{name[:60]!r}... is refused: a file name has at most {MAX_COMPONENT_BYTES} bytes")
        if plain in files:
            raise UnsafeName(f"{files[plain]!r} and {name!r} would be one file on some disks")
        files[plain] = name
    for plain, name in files.items():
        parts = plain.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above in files:
                raise UnsafeName(f"{files[above]!r} cannot be a file and the folder of {name!r}")


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
