"""Paths as people write them, with `~` for a home."""

from __future__ import annotations

import os.path
from pathlib import Path


def at_home(text: str) -> Path:
    """The path with its `~` or `~user` written out; as it stands where nobody has that name."""
    try:
        return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises RuntimeError for such a user
    except ValueError:  # a NUL in the name
        return Path(text)
