"""Which model a job is painted with, and whether this worker may fetch it.

Decisions only, no I/O. Invariant: a job's own `model` is a name of the hub and nothing else; a folder of this machine
is painted with only where the worker's own setting names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gpujob.errors import JobFailed
from gpujob.home_paths import at_home

DEFAULT_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"
RENAMED = {"runwayml/stable-diffusion-v1-5": DEFAULT_MODEL}


@dataclass(frozen=True)
class Own:
    """The worker's own settings: its default model (a name of the hub or a folder), and patterns of what it may fetch."""

    model: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A model: its name and revision, or the folder where it lies."""

    name: str
    revision: str | None = None
    folder: Path | None = None


def choose(wanted: Mapping[str, Any], own: Own) -> Choice:
    """The model for a job's input. Raises JobFailed(model_not_found) for a revision of a model that is a folder."""
    asked, revision = wanted.get("model"), wanted.get("revision")
    if asked:
        return Choice(str(asked), revision)
    if not own.model:
        return Choice(DEFAULT_MODEL, revision)
    if not is_folder(own.model):
        return Choice(RENAMED.get(own.model, own.model), revision)
    folder = at_home(own.model)
    if revision:
        raise JobFailed(
            f"this worker's image model is a folder, which has no revision {revision}",
            type="model_not_found",
            retryable=False,
            hint="Leave `revision` out, or name the `model` too.",
        )
    return Choice(folder.name, folder=folder)


def is_folder(model: str) -> bool:
    """Whether the worker's setting means a folder: it looks like a path, or there is one of that name."""
    return model.startswith(("/", ".", "~")) or model.count("/") > 1 or Path(model).is_dir()


def may_fetch(name: str, own: Own) -> bool:
    """Whether a job may make this worker fetch the model: the defaults, and what GPUJOB_ALLOW_MODELS names."""
    defaults = {DEFAULT_MODEL, RENAMED.get(own.model or "", own.model)}
    return name in defaults or any(fnmatchcase(name, pattern) for pattern in own.allowed)


def refused(choice: Choice) -> JobFailed:
    """What a job hears whose model is not here and may not be fetched."""
    revision = f" in revision {choice.revision}" if choice.revision else ""
    return JobFailed(
        f"the model {choice.name}{revision} is not on this worker, and jobs may not make it fetch that",
        type="model_not_found",
        retryable=False,
        hint=f"On the worker: GPUJOB_ALLOW_MODELS={choice.name} (or a pattern such as owner/*; * allows all).",
    )
