"""The `image.generate` executor: a text-to-image pipeline of diffusers, one kept warm.

Invariant: importing this module costs nothing; torch, diffusers and the model come with `load`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from gpujob import settings
from gpujob.errors import JobFailed
from gpujob.home_paths import at_home
from gpujob_worker.executor import Device, Executor, JobContext, Needs, Outcome, Readiness, Report
from gpujob_worker.image import devices, fetching, memory, snapshots
from gpujob_worker.image.choosing import Choice, Own, choose, is_folder, may_fetch, refused
from gpujob_worker.image.painter import Painter, load_painter
from gpujob_worker.image.painting import paint_set

_LIBRARIES = ("torch", "diffusers", "transformers", "accelerate", "safetensors", "PIL")
_INSTALL = "pip install 'gpujob[image]'"


class ImagineExecutor(Executor):
    """Paints. `own` are the worker's own settings of models; GPUJOB_IMAGE_MODEL and GPUJOB_ALLOW_MODELS by default."""

    kinds: ClassVar[tuple[str, ...]] = ("image.generate",)
    needs: ClassVar[Needs] = Needs(memory=4 * 2**30, gpu_memory=4 * 2**30)  # of the default model, with room to paint

    def __init__(self, own: Own | None = None) -> None:
        self._given = own
        self._painter: Painter | None = None
        self._choice: Choice | None = None

    def configure(self, own: settings.Settings) -> None:
        """Takes the models of the worker's settings, where none were given."""
        self._given = self._given or Own(own.image_model, own.allow_models)

    def readiness(self) -> Readiness:
        """Ready where the libraries are installed; a model that is not here is fetched when it is first asked for."""
        absent = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
        if absent:
            return Readiness(False, f"{', '.join(absent)} not installed", _INSTALL)
        model = self._own.model
        if model and is_folder(model) and not at_home(model).is_dir():
            return Readiness(False, f"there is no folder {model}", "Correct GPUJOB_IMAGE_MODEL.")
        return Readiness(True)

    def device(self) -> Device:
        """Where torch computes here, and why not on the GPU of a machine that has one."""
        return self._device

    def load(self, wanted: Mapping[str, Any], report: Report) -> tuple[str, ...]:
        """Loads the model of an input, fetching it first if it is not here; the one before makes room.

        At start, loads the worker's default if that is set. A model that the hub gives to known users only is left to
        `run`, which has the job's secrets.
        """
        if wanted or self._own.model:
            with contextlib.suppress(fetching.NeedsToken):
                self._open(choose(wanted, self._own), report, token=None)
        return (self._painter.engine.model,) if self._painter else ()

    def run(self, job: JobContext) -> Outcome:
        """Paints the job's images."""
        n, steps = int(job.input.get("n") or 1), int(job.input.get("num_inference_steps") or 1)

        def report(done: float, total: float, message: str) -> None:
            job.progress(0, n * steps, f"{message}, {done / total:.0%}")

        self._open(choose(job.input, self._own), report, token=job.secrets.get("HF_TOKEN"))
        assert self._painter is not None
        try:
            return paint_set(job, self._painter, _software())
        except JobFailed as error:
            if error.type != "out_of_memory":
                raise
            failure = error.with_traceback(None)  # whose frames refer to the pipeline
        self.close()
        raise failure

    @functools.cached_property
    def _own(self) -> Own:
        if self._given is None:
            self.configure(settings.load().settings)
        assert self._given is not None
        return self._given

    @functools.cached_property
    def _device(self) -> Device:
        return devices.torch_device()

    def _open(self, choice: Choice, report: Report, *, token: str | None) -> None:
        """Sees to it that the painter is the one for a choice: the warm one if it is that, else a new one in its place."""
        if self._painter is not None and self._choice == choice:
            return
        try:
            folder = self._folder(choice, report, token)
            self.close()
            report(0, 1, f"loading {choice.name}")
            self._painter = load_painter(folder, choice.name, _revision(choice, folder), self._device)
        except ImportError as error:
            raise JobFailed(f"{error.name or error} is not installed", type="model_not_found", hint=_INSTALL) from error
        self._choice = choice

    def _folder(self, choice: Choice, report: Report, token: str | None) -> Path:
        """Where the model lies on this disk, fetched first if it is not here and may be."""
        here = choice.folder or fetching.cached(choice)
        if here is not None:
            return here
        if not may_fetch(choice.name, self._own):
            raise refused(choice)
        return fetching.fetch(choice, report, token=token, half=self._device.name == "cuda")

    def close(self) -> None:
        """Frees the warm pipeline."""
        self._painter = self._choice = None
        memory.free()


def _revision(choice: Choice, folder: Path) -> str:
    """The commit of a model of the hub, after which its snapshot's folder is called; a hash of another folder's contents."""
    return folder.name if choice.folder is None else snapshots.identity(folder)


def _software() -> str:
    return f"gpujob {importlib.metadata.version('gpujob')}"
