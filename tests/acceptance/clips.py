"""Tiny videos made by ffmpeg's own sources, and what is in a result, found by decoding it whole.

Nothing here asks the code under test: a size is right when the decoded frames have it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpujob.clock import SYSTEM
from gpujob_worker.video import program
from tests.sizing import require_or_skip

HOW = "apt-get install ffmpeg, or pip install imageio-ffmpeg"
RATE = 48_000
PATIENCE_S = 60.0


def need_ffmpeg() -> program.Program:
    """The ffmpeg to test with: the one on the PATH, else imageio-ffmpeg's."""
    found = program.find()
    require_or_skip("ffmpeg", HOW, there=found is not None)
    assert found is not None
    return found


def ffmpeg(*words: object, folder: Path | None = None) -> bytes:
    """Runs ffmpeg without any limit of ours; returns what it wrote to standard output."""
    found = need_ffmpeg()
    command = [found.ffmpeg, "-nostdin", "-loglevel", "error", "-y", *map(str, words)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=folder).stdout


def clip(path: Path, *, size: str = "160x120", fps: int = 10, seconds: float = 2, sound: bool = True) -> Path:
    """A moving test picture, with a tone unless told otherwise; the ending decides the codecs."""
    words = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate={fps}:duration={seconds}"]
    words += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if sound else []
    ffmpeg(*words, "-pix_fmt", "yuv420p", path)
    return path


def frames(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """Every frame in grey, as an array (frames, height, width); fails where the picture has another size."""
    raw = ffmpeg("-i", path, "-map", "0:v:0", "-pix_fmt", "gray", "-f", "rawvideo", "-")
    assert raw and len(raw) % (width * height) == 0, f"{path.name} is not {width}x{height}"
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width)


def samples(path: Path) -> NDArray[np.int16]:
    """The sound, mixed to one channel at 48 kHz."""
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:a:0", "-ac", 1, "-ar", RATE, "-f", "s16le", "-"), np.int16)


def tags(path: Path) -> dict[str, str]:
    """The file's own tags."""
    lines = ffmpeg("-i", path, "-f", "ffmetadata", "-").decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def wait_for_end_below(folder: Path) -> None:
    """Returns when no process works below `folder` any more."""
    until_s = SYSTEM.elapsed() + PATIENCE_S
    while found := working_below(folder):
        assert SYSTEM.elapsed() < until_s, f"still working: {found}"
        SYSTEM.sleep(0.05)


def working_below(folder: Path) -> list[str]:
    """Processes whose working folder lies below `folder`, as far as this system tells."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(folder):
                found.append(process.name)
        except OSError:
            continue
    return found
