"""Sees to it that the daemon has a model: on its disk, where a job may make it fetch one, and then in memory, and no longer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gpujob.bounds import MAX_COUNT
from gpujob_worker.executor import Report

from .client import Client
from .failures import forbidden
from .names import may_fetch, normal
from .waiting import Check


@dataclass(frozen=True)
class Rules:
    """The models that a job may make the daemon fetch: those of `preload`, and what the patterns of `allow` cover."""

    preload: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


class Layers:
    """How much of a model is here, over its layers as far as they are known. Never goes backwards."""

    def __init__(self) -> None:
        self.done_bytes = 0
        self.total_bytes = 0
        self._layers: dict[str, tuple[int, int]] = {}

    def add(self, part: Any) -> None:
        """Takes a report of the daemon into account: `digest`, `completed` and `total` in bytes, or none of them."""
        total_bytes = min(int(part.total or 0), MAX_COUNT)
        if not part.digest or total_bytes <= 0:
            return
        self._layers[part.digest] = (min(int(part.completed or 0), total_bytes), total_bytes)
        self.total_bytes = sum(total for _, total in self._layers.values())
        self.done_bytes = max(self.done_bytes, sum(done for done, _ in self._layers.values()))


def make_ready(client: Client, model: str, options: Mapping[str, Any], rules: Rules, report: Report) -> None:
    """Returns when `model` is in the daemon's memory, as a request with these options needs it.

    Raises JobFailed: model_not_found where it is neither here nor to be had nor allowed, out_of_memory, engine.
    """

    def loading() -> None:
        report(0, 0, f"loading {model}")

    here = client.models(loading)
    if normal(model) not in here:
        if not may_fetch(model, preload=rules.preload, allow=rules.allow):
            raise forbidden(model, [one.name for one in here.values()])
        pull(client, model, report)
    client.load(model, options, loading)


def unload(client: Client, names: Collection[str], check: Check) -> None:
    """Returns when none of the models of these normal names is in the daemon's memory."""
    for name, model in client.loaded(check).items():
        if name in names:
            client.unload(model.name, check)


def pull(client: Client, model: str, report: Report) -> None:
    """Fetches a model; returns when the daemon has it. What an earlier try has brought is used.

    Reports bytes. Raises JobFailed(model_not_found) where the registry has none, or cannot be reached.
    """
    layers = Layers()

    def tell() -> None:
        report(layers.done_bytes, layers.total_bytes, f"fetching {model}")

    for part in client.pull(model, tell):
        layers.add(part)
    tell()
