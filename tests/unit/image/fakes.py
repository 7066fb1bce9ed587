"""A brush without a model: plain pictures whose colour tells the seed, on a memory that can run out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from gpujob_worker.executor import Engine
from gpujob_worker.image.painter import OnStep, Painted
from gpujob_worker.image.request import Request, Settled, choose_scheduler, settle
from tests.sizing import require_or_skip

DEFAULTS = {"negative_prompt": None, "width": 64, "height": 64, "guidance_scale": 7.5, "num_inference_steps": 4}


def need_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        require_or_skip("pillow", ".venv/bin/pip install 'pillow>=11'")


def image_input(**more: Any) -> dict[str, Any]:
    """An input as the specs hand it over, defaults filled in."""
    return {"prompt": "a lighthouse", "n": 1, "output_format": "png", **more}


class FakeBrush:
    """Paints seed by seed. `runs_out` are the paintings, counted from 0, at which memory runs out."""

    def __init__(self, *, runs_out: tuple[int, ...] = (), error: Exception | None = None) -> None:
        self.engine = Engine("fake", "1", "owner/model", "abc123", "cpu")
        self.facts: Mapping[str, Any] = {"precision": "float32"}
        self.warning = ""
        self.painted: list[tuple[int, bool]] = []  # seed, and whether memory was being saved
        self.saving = False
        self.blacked_out = False
        self._runs_out = runs_out
        self._error = error or MemoryError()
        self._calls = 0

    def settle(self, request: Request) -> Settled:
        name = choose_scheduler(request.scheduler, "OwnScheduler", ["EulerDiscreteScheduler"])
        return settle(request, DEFAULTS, name)

    def paint(self, settled: Settled, seed: int, on_step: OnStep) -> Painted:
        from PIL import Image

        self._calls += 1
        for step in range(settled.steps):
            on_step((step + 1) / settled.steps)
            if step == 1 and self._calls - 1 in self._runs_out:
                raise self._error
        self.painted.append((seed, self.saving))
        size = (settled.used("width"), settled.used("height"))
        return Painted(Image.new("RGB", size, (seed % 256, 0, 128 if self.saving else 0)), self.blacked_out)

    @contextlib.contextmanager
    def saving_memory(self) -> Iterator[None]:
        self.saving = True
        try:
            yield
        finally:
            self.saving = False
