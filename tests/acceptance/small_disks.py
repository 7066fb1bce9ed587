"""A small file system in memory, mounted for one test: a real full disk, or one that can only be read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sizing import require_or_skip


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A disk at `place` that holds `size` (as mount has it: 200k, 4m). Skips or fails where nobody may mount one."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    there = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    require_or_skip("tmpfs", "run the tests as root, where that may mount a disk in memory", there=there)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
