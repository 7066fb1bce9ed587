"""What is asked of a set of images, what of it the model can use, and which pixels are the same.

Pure. Invariant: the key of an image says all that its pixels depend on, and nothing else; so the format of the file,
the title or the number of images change no key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gpujob.chance import Random
from gpujob.errors import JobFailed
from gpujob.specs.nearest import did_you_mean
from gpujob_worker.executor import Engine

SEED_BITS = 32
ASKED = ("negative_prompt", "width", "height", "guidance_scale", "num_inference_steps")


@dataclass(frozen=True)
class Request:
    """A set of images as its job asks for it; what is None is left to the model."""

    prompt: str
    seed: int
    n: int = 1
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    guidance_scale: float | None = None
    num_inference_steps: int | None = None
    scheduler: str | None = None
    output_format: str = "png"


@dataclass(frozen=True)
class Settled:
    """What is really painted with: the call's `arguments`, the model's own `defaults` of those left out, the scheduler."""

    arguments: Mapping[str, Any]
    defaults: Mapping[str, Any]
    scheduler: str
    warnings: tuple[str, ...] = ()

    def used(self, name: str) -> Any:
        """The value of a parameter: asked for, or the model's default; None where the model has none."""
        return self.arguments.get(name, self.defaults.get(name))

    @property
    def steps(self) -> int:
        """How many steps of denoising an image takes."""
        return int(self.used("num_inference_steps") or 1)


def read(given: Mapping[str, Any], job_id: str) -> Request:
    """The request of a job. A seed that is left out is drawn by the job's id, so that a second attempt draws the same."""
    fields = {name: given[name] for name in Request.__dataclass_fields__ if given.get(name) is not None}
    return Request(**{"seed": Random(job_id).getrandbits(SEED_BITS), **fields})


def settle(request: Request, defaults: Mapping[str, Any], scheduler: str) -> Settled:
    """The call that paints the request. `defaults` are the parameters that the model takes, with their own defaults."""
    asked = {name: value for name in ASKED if (value := getattr(request, name)) is not None}
    asked |= _size(asked, defaults)
    ignored = [name for name in asked if name not in defaults]
    arguments = {"prompt": request.prompt} | {name: value for name, value in asked.items() if name in defaults}
    warnings = tuple(f"{name} has no effect: this model does not take it" for name in ignored)
    return Settled(arguments, defaults, scheduler, warnings)


def _size(asked: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, int]:
    """Both sides or none: a model of which one side alone is asked would take neither."""
    sides = {name: asked.get(name) or defaults.get(name) for name in ("width", "height")}
    known = [side for side in sides.values() if side]
    return {name: side or known[0] for name, side in sides.items()} if known else {}


def choose_scheduler(name: str | None, own: str, suitable: Collection[str]) -> str:
    """The scheduler's class name, the model's own if none is asked for. Raises JobFailed(invalid_input) for another."""
    if name is None or name == own or name in suitable:
        return name or own
    guess = did_you_mean(name, [own, *suitable])
    raise JobFailed(
        f"input.scheduler: {name} is none of this model's schedulers{', ' + guess if guess else ''}",
        type="invalid_input",
        retryable=False,
        hint=f"Those that suit it: {', '.join(sorted({own, *suitable}))}",
    )


def image_key(settled: Settled, seed: int, engine: Engine, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the pixels of one image depend on. `facts` are the painter's: versions, precision, whether it saves memory."""
    return {
        "kind": "image.generate",
        "form": 1,
        "arguments": dict(settled.arguments),
        "steps": settled.steps,
        "guidance_scale": settled.used("guidance_scale"),
        "scheduler": settled.scheduler,
        "seed": seed,
        "engine": engine.name,
        "version": engine.version,
        "model": engine.model,
        "revision": engine.revision,
        "device": engine.device,
        **facts,
    }
