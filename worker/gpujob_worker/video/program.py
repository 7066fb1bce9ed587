"""Finds ffmpeg: the one on the PATH, else the one that the package imageio-ffmpeg carries.

Invariant: ffprobe is used only beside the ffmpeg that it was built with; without it ffmpeg itself is asked about files.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass

_ANSWER_S = 30.0


@dataclass(frozen=True)
class Program:
    """An ffmpeg to run. `ffprobe` is empty where there is none."""

    ffmpeg: str
    ffprobe: str = ""


def find() -> Program | None:
    """The ffmpeg of this machine, or None."""
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        return Program(on_path, shutil.which("ffprobe") or "")
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    try:
        return Program(str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()))
    except RuntimeError:  # the package is there without a build for this machine
        return None


@functools.cache
def version(program: Program) -> str:
    """The version that ffmpeg says it has, such as `5.1.9-0+deb12u1`; empty where it cannot be run."""
    try:
        done = subprocess.run(
            [program.ffmpeg, "-version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.match(rb"ffmpeg version (\S{1,80})", done.stdout)
    return found[1].decode(errors="replace") if found else ""
