"""Executors found by their entry points: ours, and those of plug-in packages.

A package that does not import, or an executor that is not ready, costs its own kinds and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from gpujob.settings import PREFIX, Settings

from .children.executor import ChildExecutor
from .executor import Executor, Readiness

log = logging.getLogger("gpujob.worker")

GROUP = "gpujob.executors"


@dataclass(frozen=True)
class Candidate:
    """An executor that is installed, and whether it can serve here."""

    name: str
    kinds: tuple[str, ...]
    readiness: Readiness
    executor: Executor | None = None
    target: str = ""  # package.module:Class


def candidates(kinds: Sequence[str] | None = None, own: Settings | None = None) -> list[Candidate]:
    """Every installed executor that has one of `kinds` (all by default), ready or not, with the worker's `own` settings."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            executor: Executor = point.load()()
            if own is not None:
                executor.configure(own)
        except Exception as error:  # noqa: BLE001 - a broken plug-in costs its own kinds only
            log.warning("the executor %s of %s does not load: %s", point.name, point.value, error)
            found.append(Candidate(point.name, (), Readiness(False, f"does not load: {error}")))
            continue
        if kinds is None or set(kinds) & set(executor.kinds):
            found.append(Candidate(point.name, tuple(executor.kinds), _readiness(executor), executor, point.value))
    return found


def ready(found: Sequence[Candidate], *, environment: Mapping[str, str] = {}) -> list[Executor]:
    """The executors among `found` that can serve, each in a process of its own where a crash of it is thinkable.

    `environment` is what these processes find beside the worker's own: the GPU that they keep to, say.
    """
    return [
        ChildExecutor(one.target, one.executor, environment=environment) if one.executor.isolated else one.executor
        for one in found
        if one.executor is not None and one.readiness.ready
    ]


def told(own: Settings) -> dict[str, str]:
    """The environment that tells an executor's process what this worker's settings are, whatever they came from."""
    values = {"allow_models": own.allow_models, "chat_preload": own.chat_preload, "image_model": own.image_model}
    return {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else ",".join(value)
        for name, value in values.items()
        if value is not None
    }


def _readiness(executor: Executor) -> Readiness:
    try:
        return executor.readiness()
    except Exception as error:  # noqa: BLE001 - as above
        return Readiness(False, f"its check failed: {error}")
