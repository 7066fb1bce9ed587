"""The `video.encode` executor: ffmpeg, on the GPU's encoder where that really works.

Invariant: importing this module costs nothing; ffmpeg-python comes with `run`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from typing import ClassVar

from gpujob.errors import JobFailed
from gpujob_worker.executor import Device, Executor, JobContext, Outcome, Readiness

_INSTALL = "apt-get install ffmpeg"
_EXTRA = "pip install 'gpujob[video]'"


class EncodeExecutor(Executor):
    """Encodes, cuts and joins video and sound."""

    kinds: ClassVar[tuple[str, ...]] = ("video.encode",)

    def readiness(self) -> Readiness:
        """Ready where ffmpeg-python is installed and there is an ffmpeg: on the PATH, or imageio-ffmpeg's."""
        if importlib.util.find_spec("ffmpeg") is None:
            return Readiness(False, "ffmpeg-python is not installed", _EXTRA)
        if importlib.import_module("gpujob_worker.video.program").find() is None:
            return Readiness(False, "ffmpeg is not on this machine", _INSTALL)
        return Readiness(True)

    def device(self) -> Device:
        """`nvenc` where the GPU has encoded a frame, else `cpu`, and why where there is a GPU."""
        nvenc = importlib.import_module("gpujob_worker.video.nvenc")
        found = importlib.import_module("gpujob_worker.video.program").find()
        if found is None:
            return Device("cpu")
        return Device("nvenc" if nvenc.works(found) else "cpu", nvenc.warning(found))

    def run(self, job: JobContext) -> Outcome:
        """Does the job's operations, in order."""
        found = importlib.import_module("gpujob_worker.video.program").find()
        if found is None:
            raise JobFailed("ffmpeg is not on this machine", hint=_INSTALL)
        encoding = importlib.import_module("gpujob_worker.video.encoding")
        outcome: Outcome = encoding.encode(job, found, f"gpujob {importlib.metadata.version('gpujob')}")
        return outcome
