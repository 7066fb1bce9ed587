"""A pipeline of diffusers, loaded once, that paints one image at a time.

Invariant: the same arguments, seed, model, versions and device give the same pixels. So the noise comes from a
generator on the CPU, and every image has a scheduler of its own, since some keep state.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpujob.errors import GpujobError, JobFailed
from gpujob_worker.executor import Device, Engine

from . import devices, memory, snapshots
from .request import ASKED, Request, Settled, choose_scheduler, settle

OnStep = Callable[[float], None]  # the share of the image's denoising that is done; what it raises ends the painting


@dataclass(frozen=True)
class Painted:
    """PIL's picture, and whether the model's own safety checker blacked it out."""

    picture: Any
    blacked_out: bool = False


class Painter:
    """A warm pipeline. One image at a time: the worker runs one job at a time."""

    def __init__(self, pipe: Any, engine: Engine, facts: Mapping[str, Any], warning: str = "") -> None:
        self.engine = engine
        self.facts = facts
        self.warning = warning
        self._pipe = pipe
        self._own_scheduler: Any = getattr(pipe, "scheduler", None)
        self._torch = importlib.import_module("torch")

    def settle(self, request: Request) -> Settled:
        """What the request comes to with this model. Raises JobFailed(invalid_input) for a scheduler that it has not."""
        own = type(self._own_scheduler).__name__
        name = choose_scheduler(request.scheduler, own, self._suitable_schedulers())
        settled = settle(request, self._defaults(), name)
        return Settled(settled.arguments, settled.defaults, name, settled.warnings + tuple(self._cut(request)))

    def paint(self, settled: Settled, seed: int, on_step: OnStep) -> Painted:
        """Paints one image. Takes as long as it takes; `on_step` is called after each step of denoising."""
        self._pipe.scheduler = self._scheduler(settled.scheduler)
        arguments = dict(settled.arguments)
        if "generator" in self._parameters():
            arguments["generator"] = self._torch.Generator("cpu").manual_seed(seed)
        if "callback_on_step_end" in self._parameters():
            arguments["callback_on_step_end"] = self._callback(on_step)
        with self._torch.inference_mode():
            try:
                answer = self._pipe(**arguments)
            except ValueError as error:  # how pipelines refuse an argument
                raise _invalid(str(error)) from error
        flags = getattr(answer, "nsfw_content_detected", None)
        return Painted(answer.images[0], bool(flags and flags[0]))

    @contextlib.contextmanager
    def saving_memory(self) -> Iterator[None]:
        """Paints in slices of attention and tiles of the VAE: slower, and the pixels are a little different."""
        pipe: Any = self._pipe
        vae: Any = getattr(pipe, "vae", None)
        pipe.enable_attention_slicing()
        if hasattr(vae, "enable_tiling"):
            vae.enable_tiling()
        try:
            yield
        finally:
            pipe.disable_attention_slicing()
            if hasattr(vae, "disable_tiling"):
                vae.disable_tiling()

    # -- what the model has

    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self._pipe.__call__).parameters

    def _defaults(self) -> dict[str, Any]:
        own = {name: self._parameters()[name].default for name in ASKED if name in self._parameters()}
        plain = {name: value if isinstance(value, (int, float, str)) else None for name, value in own.items()}
        return plain | {name: side for name, side in self._own_size().items() if name in plain}

    def _own_size(self) -> dict[str, int]:
        """The size the model was made for, as its pipeline works it out; empty where it is not known."""
        network = getattr(self._pipe, "unet", None) or getattr(self._pipe, "transformer", None)
        sample = getattr(getattr(network, "config", None), "sample_size", None)
        sample = getattr(self._pipe, "default_sample_size", None) or sample
        scale = getattr(self._pipe, "vae_scale_factor", None)
        if not isinstance(sample, (int, list, tuple)) or not isinstance(scale, int):
            return {}
        height, width = (sample, sample) if isinstance(sample, int) else sample
        return {"width": int(width) * scale, "height": int(height) * scale}

    def _suitable_schedulers(self) -> list[str]:
        return sorted(found.__name__ for found in getattr(self._own_scheduler, "compatibles", ()))

    def _scheduler(self, name: str) -> Any:
        if self._own_scheduler is None:
            return None
        own = type(self._own_scheduler)
        kind = own if name == own.__name__ else getattr(importlib.import_module("diffusers"), name)
        try:
            return kind.from_config(self._own_scheduler.config)
        except ImportError as error:
            reason = " ".join(str(error).split())
            raise _invalid(
                f"input.scheduler: {name} needs a library that this worker does not have: {reason}"
            ) from error

    def _cut(self, request: Request) -> Iterator[str]:
        """What of the texts is longer than the model reads."""
        names = ("tokenizer", "tokenizer_2", "tokenizer_3")
        tokenizers = [found for name in names if (found := getattr(self._pipe, name, None)) is not None]
        most = max((int(found.model_max_length) for found in tokenizers), default=0)
        for field in ("prompt", "negative_prompt"):
            text = getattr(request, field)
            if text and tokenizers and all(len(found(text).input_ids) > most for found in tokenizers):
                yield f"{field} is longer than the {most} tokens that this model reads; the rest has no effect"

    @staticmethod
    def _callback(on_step: OnStep) -> Callable[..., dict[str, Any]]:
        def callback(pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            on_step(min(1.0, (step + 1) / max(1, int(getattr(pipe, "num_timesteps", 0) or step + 1))))
            return tensors

        return callback


def load_painter(folder: Path, name: str, revision: str, device: Device) -> Painter:
    """The pipeline in a folder, on its device. Raises JobFailed: out_of_memory, or model_not_found with the reason."""
    error: Exception | None = None
    try:
        return _load(folder, name, revision, device)
    except GpujobError:
        raise
    except Exception as caught:  # noqa: BLE001 - diffusers has no error of its own for a model that does not load
        error = caught.with_traceback(None)
    memory.free()  # only now does nothing refer to what had been loaded
    if memory.is_out_of_memory(error):
        raise memory.does_not_load(name, device.name) from error
    short = str(error).strip().split("\n")[0][:500]
    raise JobFailed(f"the model {name} does not load: {short}", type="model_not_found") from error


def _load(folder: Path, name: str, revision: str, device: Device) -> Painter:
    torch, diffusers = importlib.import_module("torch"), importlib.import_module("diffusers")
    _quiet()
    wanted = snapshots.wants_bfloat16(folder)
    kind = devices.precision(device.name, devices.capability(device.name), wants_bfloat16=wanted)
    torch.backends.cudnn.deterministic = True
    options: dict[str, Any] = {"dtype": getattr(torch, kind), "use_safetensors": True, "local_files_only": True}
    if snapshots.needs_half(folder) or (kind != "float32" and snapshots.has_half(folder)):
        options["variant"] = "fp16"
    pipe: Any = diffusers.AutoPipelineForText2Image.from_pretrained(str(folder), **options).to(device.name)
    pipe.set_progress_bar_config(disable=True)
    engine = Engine("diffusers", diffusers.__version__, name, revision, device.name)
    facts = {"precision": kind, "torch": torch.__version__, "transformers": _version("transformers")}
    return Painter(pipe, engine, facts, device.warning)


def _quiet() -> None:
    """No progress bars of loading, and no word of libraries that are not needed: they would fill the job's log."""
    for library in ("diffusers.utils.logging", "transformers.utils.logging"):
        importlib.import_module(library).disable_progress_bar()
    importlib.import_module("transformers.utils.logging").set_verbosity_error()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _invalid(message: str) -> JobFailed:
    return JobFailed(message, type="invalid_input", retryable=False)
