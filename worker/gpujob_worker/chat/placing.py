"""Where a model computes, and what to tell where a GPU stands idle."""

from __future__ import annotations

import sys

from gpujob_worker.speech.devices import gpu_present

from .client import Client, Model
from .waiting import Check


def device_of(model: Model) -> tuple[str, str]:
    """The device of a loaded model, and a warning, or none: its own share of the GPU's memory tells."""
    if model.gpu_bytes:
        return "metal" if sys.platform == "darwin" else "cuda", ""
    if not gpu_present():
        return "cpu", ""
    return "cpu", (
        f"this worker has a GPU, yet Ollama ran {model.name} on its CPU: its log says which GPUs it found, "
        "and a model that does not fit into a GPU's memory stays out"
    )


def try_one(client: Client, check: Check) -> Model | None:
    """A model that is loaded, or else the smallest that is here, loaded for this; None where there is none."""
    loaded = client.loaded(check)
    here = client.models(check)
    if not loaded and here:
        client.load(min(here.values(), key=lambda model: model.size_bytes).name, {}, check)
        loaded = client.loaded(check)
    return next(iter(loaded.values()), None)
