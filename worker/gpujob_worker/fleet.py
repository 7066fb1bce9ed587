"""Several GPUs: a worker process for each, pinned to its own. Signals go on to all; the worst exit code is the fleet's."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

FLAG = "--gpu"


def run(indexes: Sequence[int], arguments: Sequence[str]) -> int:
    """Runs `gpujob-worker` with these arguments once for each GPU; returns when all have left."""
    rest = without_flag(arguments)
    fleet = [
        # A session of its own: a Ctrl-C reaches it through us, once.
        subprocess.Popen([sys.executable, "-m", "gpujob_worker", *rest, FLAG, str(index)], start_new_session=True)
        for index in indexes
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in fleet:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    signal.signal(signal.SIGINT, pass_on)
    signal.signal(signal.SIGTERM, pass_on)
    return max(abs(process.wait()) for process in fleet)


def without_flag(arguments: Sequence[str]) -> list[str]:
    """The arguments without `--gpu 0,1` or `--gpu=0,1`."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if not skip and argument != FLAG and not argument.startswith(f"{FLAG}="):
            kept.append(argument)
        skip = argument == FLAG and not skip
    return kept
