"""Runs one set of images: paints what the cache does not have, and makes the files.

Invariant: an image's pixels are in the cache and its file is uploaded before the next image is begun, so a worker that
dies costs one image. After each step of denoising the job is asked whether it should go on.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from gpujob_worker.executor import Engine, JobContext, Outcome

from . import files, memory
from .origin import Origin
from .painter import OnStep, Painted
from .request import Request, Settled, image_key, read

SAVING = "memory ran out, so this worker painted in slices and tiles; another may make slightly different pixels"


class Brush(Protocol):
    """What paints: the pipeline, or a stand-in for it in tests."""

    engine: Engine
    facts: Mapping[str, Any]
    warning: str

    def settle(self, request: Request) -> Settled: ...
    def paint(self, settled: Settled, seed: int, on_step: OnStep) -> Painted: ...
    def saving_memory(self) -> contextlib.AbstractContextManager[None]: ...


def paint_set(job: JobContext, brush: Brush, software: str) -> Outcome:
    """One attempt of an `image.generate` job. Raises JobFailed(out_of_memory) where an image does not fit, even in slices."""
    request = read(job.input, job.id)
    settled = brush.settle(request)
    for warning in (*settled.warnings, brush.warning):
        if warning:
            job.warn(warning)
    with contextlib.ExitStack() as stack:
        easel = _Easel(job, brush, request, settled, software, stack)
        images = [easel.image(index) for index in range(request.n)]
    job.progress(easel.total, easel.total, "done")
    return Outcome(_output(request, settled, brush, images), brush.engine)


class _Easel:
    """The parts of one attempt that need the job, the brush and the folder."""

    def __init__(
        self,
        job: JobContext,
        brush: Brush,
        request: Request,
        settled: Settled,
        software: str,
        stack: contextlib.ExitStack,
    ) -> None:
        self._job = job
        self._brush = brush
        self._request = request
        self._settled = settled
        self._software = software
        self._stack = stack
        self._saving = False
        self._done = 0
        self.total = request.n * settled.steps

    def image(self, index: int) -> dict[str, Any]:
        """Paints an image, or takes it from the cache, uploads its file, and returns its record."""
        plain = self._job.workdir / "painted" / f"{index}.png"
        plain.parent.mkdir(parents=True, exist_ok=True)
        self._progress(index, 0.0)
        cached, blacked_out = self._have(index, plain)
        if blacked_out:
            self._job.warn(f"image {index}: the model's own safety checker blacked it out")
        record = self._publish(index, plain) | {"cached": cached}
        self._job.log(f"image {index}: seed {record['seed']}" + (", from the cache" if cached else ""))
        return record

    def _have(self, index: int, plain: Path) -> tuple[bool, bool]:
        """Sees to it that the pixels are in `plain`; whether they were in the cache, and whether they were blacked out."""
        while True:
            facts = self._from_cache(index, plain)
            if facts is not None:
                return True, bool(facts.get("blacked_out"))
            painted = self._paint(index)
            if painted is not None:
                painted.picture.save(plain, "PNG")
                self._job.cache.put(self._key(index), plain, {"blacked_out": painted.blacked_out})
                return False, painted.blacked_out

    def _paint(self, index: int) -> Painted | None:
        """The image; None where memory ran out and it is to be tried again, saving memory."""
        try:
            return self._brush.paint(self._settled, self._seed(index), lambda share: self._progress(index, share))
        except Exception as error:
            if not memory.is_out_of_memory(error):
                raise
        memory.free()  # only now does nothing refer to what had been computed
        if self._saving:
            raise memory.does_not_fit(self._size(), self._brush.engine.device)
        self._job.warn(SAVING)
        self._stack.enter_context(self._brush.saving_memory())
        self._saving = True
        return None

    def _from_cache(self, index: int, plain: Path) -> Mapping[str, Any] | None:
        """The facts of an earlier equal image whose pixels are now in `plain`; None where there is none that can be read."""
        facts = self._job.cache.get(self._key(index), plain)
        if facts is None:
            return None
        try:
            with importlib.import_module("PIL.Image").open(plain) as picture:
                picture.load()
        except (OSError, SyntaxError, ValueError):
            self._job.log(f"image {index}: the cache's entry is not a picture; painting it again")
            return None
        return facts

    def _publish(self, index: int, plain: Path) -> dict[str, Any]:
        form = self._request.output_format
        name = files.name_of(index, form)
        path = self._job.workdir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with importlib.import_module("PIL.Image").open(plain) as picture:
            width, height = picture.size
            warning = files.write(picture, path, form, self._origin(index, width, height))
        if warning:
            self._job.warn(warning)
        self._job.artifact(name, path, media_type=files.MEDIA_TYPES[form])
        return {"file": name, "index": index, "seed": self._seed(index), "width": width, "height": height}

    def _origin(self, index: int, width: int, height: int) -> Origin:
        used = used_parameters(self._request, self._settled)
        made = used | {"seed": self._seed(index), "width": width, "height": height}
        engine = asdict(self._brush.engine) | dict(self._brush.facts)
        return Origin({name: value for name, value in made.items() if value is not None}, engine, self._software)

    def _key(self, index: int) -> dict[str, Any]:
        facts = {**self._brush.facts, "saving_memory": self._saving}
        return image_key(self._settled, self._seed(index), self._brush.engine, facts)

    def _seed(self, index: int) -> int:
        return self._request.seed + index

    def _size(self) -> tuple[int, int] | None:
        width, height = self._settled.used("width"), self._settled.used("height")
        return (int(width), int(height)) if width and height else None

    def _progress(self, index: int, share: float) -> None:
        self._job.check()
        steps, n = self._settled.steps, self._request.n
        step = round(share * steps)  # some schedulers take a step more than was asked for
        self._done = max(self._done, index * steps + step)  # an image that is tried again does not go back
        message = f"image {index + 1}/{n}, step {step}/{steps}"
        self._job.progress(self._done, self.total, message)


def used_parameters(request: Request, settled: Settled) -> dict[str, Any]:
    """The parameters that were really used, under their names in a spec; None where the model has no such thing."""
    names = ("prompt", "negative_prompt", "width", "height", "guidance_scale", "num_inference_steps")
    used = {name: settled.used(name) for name in names}
    return used | {"scheduler": settled.scheduler, "output_format": request.output_format}


def _output(request: Request, settled: Settled, brush: Brush, images: list[dict[str, Any]]) -> dict[str, Any]:
    engine = brush.engine
    used = used_parameters(request, settled) | {"width": images[0]["width"], "height": images[0]["height"]}
    model = {"model": engine.model, "revision": engine.revision, "device": engine.device}
    return {"images": images, **used, "seed": request.seed, "n": request.n, **model, **brush.facts}
