"""Gives every part of an input the name and form that its model knows, and remembers where it stood.

Invariant: no value is lost or changed; a field given under two of its names is told, never silently dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from gpujob.specs.fields import Input
from gpujob.specs.problems import Finding, Path, moved
from gpujob.specs.sentences import models_in


class Settled:
    """An input under its models' own names; `moves` leads back to what the author wrote."""

    def __init__(self, model: type[BaseModel] | None, given: Any) -> None:
        self.moves: dict[Path, Path] = {}
        self.findings: list[Finding] = []
        self.value = self._settle(model, given, (), ()) if model is not None else given

    def _settle(self, model: type[BaseModel], given: Any, path: Path, origin: Path) -> Any:
        if not isinstance(given, Mapping):
            return given
        named = self._rename(model, given, path, origin)
        if issubclass(model, Input):
            named, moves = model.reshape(named)
            # A part that reshape moved is known by the name that stood before it, which may itself be an alias.
            self.moves.update({path + new: moved(path + old, self.moves) for new, old in moves.items()})
        return {name: self._inner(model, name, value, (*path, name)) for name, value in named.items()}

    def _rename(self, model: type[BaseModel], given: Mapping[str, Any], path: Path, origin: Path) -> dict[str, Any]:
        aliases: Mapping[str, str] = getattr(model, "aliases", {})
        named: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for key, value in given.items():
            name = aliases.get(key, key)
            if name in named or (name != key and name in given):
                other = origins.get(name, name)
                self.findings.append(
                    Finding((*origin, key), f'another name of "{other}", which is given too', at_key=True)
                )
                continue
            named[name], origins[name] = value, key
            if name != key:
                self.moves[(*path, name)] = (*origin, key)
        return named

    def _inner(self, model: type[BaseModel], name: str, value: Any, path: Path) -> Any:
        field = model.model_fields.get(name)
        found = models_in(field) if field is not None else []
        if len(found) != 1:
            return value
        if isinstance(value, list | tuple):
            return [
                self._settle(found[0], item, (*path, i), moved((*path, i), self.moves)) for i, item in enumerate(value)
            ]
        return self._settle(found[0], value, path, moved(path, self.moves))
