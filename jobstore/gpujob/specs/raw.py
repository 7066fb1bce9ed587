"""Looks into a spec as it was written, where anything may be anything.

Invariant: nothing here raises, whatever the value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gpujob.specs.problems import Path


def rows(given: Mapping[str, Any], name: str) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Each mapping in the list under `name`, with its path; whatever is no mapping is left out."""
    listed = given.get(name)
    if isinstance(listed, list | tuple):
        for number, row in enumerate(listed):
            if isinstance(row, Mapping):
                yield (name, number), row


def words(given: Mapping[str, Any], name: str) -> Iterator[tuple[Path, str]]:
    """Each text in the list under `name`, or the text itself, with its path."""
    value = given.get(name)
    if isinstance(value, str):
        yield (name,), value
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            if isinstance(item, str):
                yield (name, number), item
