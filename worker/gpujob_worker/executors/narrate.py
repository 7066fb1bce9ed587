"""The `tts.narrate` executor: Kokoro, loaded once.

Invariant: importing this module costs nothing; numpy, onnxruntime and the model come with `load`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gpujob import models
from gpujob.errors import Configuration, GpujobError, JobFailed
from gpujob_worker.executor import Device, Executor, JobContext, Needs, Outcome, Readiness, Report

if TYPE_CHECKING:
    from gpujob_worker.speech.synthesis import Speaker

log = logging.getLogger(__name__)

_LIBRARIES = ("kokoro_onnx", "onnxruntime", "numpy")
_ON_CPU = ("kokoro", "kokoro-fp32", "kokoro-fp16")
_ON_GPU = ("kokoro-fp16", "kokoro-fp32", "kokoro")  # int8 has no kernels there and is slower


class NarrateExecutor(Executor):
    """Speaks scripts. `root` is the model folder, the user's cache by default; `offline` forbids fetching the model."""

    kinds: ClassVar[tuple[str, ...]] = ("tts.narrate",)
    needs: ClassVar[Needs] = Needs(memory=400 * 2**20, gpu_memory=2**30)

    def __init__(self, *, root: Path | None = None, offline: bool = False, threads: int | None = None) -> None:
        self._root = root
        self._offline = offline
        self._threads = threads
        self._speaker: Speaker | None = None

    def readiness(self) -> Readiness:
        """Ready where the libraries are installed and the model is here or may be fetched."""
        absent = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
        if absent:
            return Readiness(False, f"{', '.join(absent)} not installed", "pip install 'gpujob[tts]'")
        if models.installed(self._root):
            return Readiness(True)
        if self._offline:
            return Readiness(False, "the speech model is not on this machine", "gpujob models pull kokoro")
        return Readiness(True, "the speech model (121 MB) will be fetched first", "gpujob models pull kokoro")

    def device(self) -> Device:
        """Where onnxruntime computes here, and why not on the GPU of a machine that has one."""
        name = importlib.import_module("gpujob_worker.speech.proof").session_device()
        devices = importlib.import_module("gpujob_worker.speech.devices")
        return Device(name, (devices.cpu_warning() or "") if name == "cpu" else "")

    def catalogue_models(self) -> tuple[str, ...]:
        """The models to try on this machine, best first."""
        devices = importlib.import_module("gpujob_worker.speech.devices")
        return choose_models(self._root, gpu=devices.gpu_present())

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        """Loads the model, fetching it first if it is not here. Raises JobFailed(model_not_found) where it cannot."""
        self._speaker = self._speaker or self._open(report)
        return (self._speaker.engine.revision,)

    def run(self, job: JobContext) -> Outcome:
        """Speaks the job's steps."""
        self.load(job.input, job.progress)
        narration = importlib.import_module("gpujob_worker.speech.narration")
        outcome: Outcome = narration.narrate(job, self._speaker, _software())
        return outcome

    def _open(self, report: Report) -> Speaker:
        try:
            synthesis = importlib.import_module("gpujob_worker.speech.synthesis")
            files = self._files(choose_models(self._root, gpu=synthesis.wants_gpu()), report)
            speaker: Speaker = synthesis.Speaker(files.model, files.voices, files.revision, threads=self._threads)
            return speaker
        except ImportError as error:
            raise _cannot_load(f"{error.name or error} is not installed", "pip install 'gpujob[tts]'") from error
        except Configuration as error:
            raise _cannot_load(error.message, error.hint) from error
        except GpujobError:
            raise
        except Exception as error:
            raise _cannot_load(f"the speech model does not load: {error}", _PULL_AGAIN) from error

    def _files(self, names: Sequence[str], report: Report) -> models.KokoroFiles:
        """The first of the models that is here or can be fetched."""
        progress = _reported(report)
        for name in names[:-1]:
            try:
                return models.ensure(name, root=self._root, progress=progress, offline=self._offline)
            except Configuration as error:
                log.warning("going on without %s: %s", name, error.message)
        return models.ensure(names[-1], root=self._root, progress=progress, offline=self._offline)


_PULL_AGAIN = "gpujob models rm kokoro, then: gpujob models pull kokoro"


def choose_models(root: Path | None, *, gpu: bool) -> tuple[str, ...]:
    """The models to try: the best installed one for the device, else those to fetch, best first."""
    here = {found.name for found in models.installed(root)}
    for name in _ON_GPU if gpu else _ON_CPU:
        if name in here:
            return (name,)
    return ("kokoro-fp16", "kokoro") if gpu else ("kokoro",)


def _reported(report: Report) -> models.Progress:
    """The progress of a fetch as a job's progress, and a line in the log whenever something else is being fetched."""
    last = [""]

    def progress(done_bytes: int, total_bytes: int, what: str) -> None:
        if what != last[0]:
            last[0] = what
            log.info("fetching the speech model, %d of %d MB: %s", done_bytes // 10**6, total_bytes // 10**6, what)
        report(done_bytes, total_bytes, f"fetching {what}")

    return progress


def _cannot_load(message: str, hint: str | None) -> JobFailed:
    return JobFailed(message, type="model_not_found", hint=hint)


def _software() -> str:
    return f"gpujob {importlib.metadata.version('gpujob')}"
