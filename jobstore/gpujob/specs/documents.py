"""What the readers of JSON and YAML hand over: plain values, and where each of them stands in the text.

Invariant: a document's value is made of dict, list, str, int, float, bool and None alone, at most 64 levels deep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gpujob.specs.problems import Finding, Path

MAX_DEPTH = 64
MAX_VALUES = 131_072
MAX_DOCUMENT_CHARS = 2 * 1024 * 1024
LARGER = 'larger texts travel as files of the job (list them under "files")'

Place = tuple[int, int]
NOWHERE: Place = (0, 0)


class Unreadable(Exception):
    """The text is no document at all; says where reading ended."""

    def __init__(self, place: Place, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.suggestion = suggestion


@dataclass(frozen=True)
class Places:
    """Where values begin, and where the keys before them do; lines and columns count from 1."""

    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]

    def of(self, path: Path, *, at_key: bool = False) -> Place:
        """The place of the value (or its key), or of the nearest thing around it that is in the text.

        NOWHERE if there is no text.
        """
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1) if self.values else NOWHERE)


@dataclass(frozen=True)
class Document:
    """One value of a text. Its places are worked out only when something has to be told."""

    value: Any
    places: Callable[[], Places]
    findings: tuple[Finding, ...] = field(default=())


def plain(value: Any) -> tuple[Any, list[Finding]]:
    """The value as JSON has it (tuples become lists), and what in it no JSON can say."""
    findings: list[Finding] = []
    return _plain(value, (), findings), findings


def _plain(value: Any, path: Path, findings: list[Finding]) -> Any:
    for finding in _faults(value, path):
        findings.append(finding)
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(part, (*path, str(key)), findings) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part, (*path, number), findings) for number, part in enumerate(value)]
    return value


def _faults(value: Any, path: Path) -> Iterator[Finding]:
    if len(path) > MAX_DEPTH:
        yield Finding(path[:8], f"nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Finding(path, "must be a finite number")
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        yield Finding(path, "a whole number of more than 64 bits")
    elif isinstance(value, str):
        yield from _faults_of_text(value, path)
    elif isinstance(value, Mapping):
        for key in value:
            yield from _faults_of_text(key, path) if isinstance(key, str) else (Finding(path, "keys must be text"),)
    elif value is not None and not isinstance(value, bool | int | float | list | tuple):
        yield Finding(path, f"a {type(value).__name__} is nothing that JSON can say")


def _faults_of_text(text: str, path: Path) -> Iterator[Finding]:
    if "\0" in text:
        yield Finding(path, "holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        yield Finding(path, "holds half a character (a lone surrogate)")
