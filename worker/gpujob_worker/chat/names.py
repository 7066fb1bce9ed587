"""The names of Ollama's models: when two mean the same, and which a job may make the daemon fetch. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from .addresses import is_loopback

_UNSAID = ("registry.ollama.ai/", "library/")  # what goes without saying, in this order


def normal(model: str) -> str:
    """The one spelling of a model's name: `SmolLM2` and `library/smollm2:latest` are both `smollm2:latest`."""
    name = model.strip().lower()
    for prefix in _UNSAID:
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def may_fetch(model: str, *, preload: Iterable[str], allow: Iterable[str]) -> bool:
    """Whether a job may make the daemon fetch a model: it is one of `preload`, or a pattern of `allow` covers it."""
    name = normal(model)
    if any(normal(one) == name for one in preload):
        return True
    return any(fnmatchcase(name, pattern.lower()) or fnmatchcase(name, normal(pattern)) for pattern in allow)


def registry_is_here(model: str) -> bool:
    """Whether a model's name leads to a registry on this machine, which is spoken to in plain HTTP."""
    host, slash, _ = model.partition("/")
    return bool(slash) and is_loopback(host.rpartition(":")[0] or host)
