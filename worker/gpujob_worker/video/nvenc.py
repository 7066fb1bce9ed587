"""Whether this machine's GPU really encodes video: found by encoding one frame.

Invariant: the answer is found once a process. That ffmpeg lists the encoder says nothing: it does so without a GPU too,
and there are GPUs without an encoder (A100, H100).
"""

from __future__ import annotations

import functools
import subprocess

from gpujob_worker.speech.devices import gpu_present

from .failures import cause
from .program import Program

_FRAME_S = 30.0
_ONE_FRAME = (
    *("-hide_banner", "-nostdin", "-loglevel", "error"),
    *("-f", "lavfi", "-i", "color=c=black:size=256x256:rate=25", "-frames:v", "1"),
    *("-pix_fmt", "yuv420p", "-c:v", "h264_nvenc", "-f", "null", "-"),
)


@functools.cache
def trial(program: Program) -> str:
    """Empty when the GPU has encoded a frame, else why it has not."""
    try:
        done = subprocess.run(
            [program.ffmpeg, *_ONE_FRAME],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_FRAME_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"one frame took longer than {_FRAME_S:.0f} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return cause(done.stderr.decode(errors="replace")) or f"ffmpeg ended with {done.returncode}"


def works(program: Program) -> bool:
    """Whether h264_nvenc may be used."""
    return not trial(program)


def warning(program: Program) -> str:
    """What to tell the user of a machine that has a GPU while video is encoded on the CPU; empty where all is well."""
    if works(program) or not gpu_present():
        return ""
    return f"this worker has a GPU, yet encodes video on its CPU: {trial(program)}"
