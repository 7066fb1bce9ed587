"""Reads JSON and JSON lines, with the place of every value.

Invariant: what is read is exactly what Python's own `json` reads; the second look at the text only finds places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpujob.specs.documents import (
    LARGER,
    MAX_DEPTH,
    MAX_DOCUMENT_CHARS,
    MAX_VALUES,
    Document,
    Place,
    Places,
    Unreadable,
)
from gpujob.specs.problems import Finding, Path

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]++')


def read_json(text: str, first_line: int = 1) -> Document:
    """The one value of a text. Raises `Unreadable` where it is no JSON, or too large or too deep to be a spec."""
    _within_bounds(text, first_line)
    repeated: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            repeated.append("")
        return found

    try:
        value = json.loads(text, object_pairs_hook=mapping, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Unreadable((first_line + error.lineno - 1, error.colno), *_sentence(error)) from error
    except ValueError as error:
        raise Unreadable((first_line, 1), f"not valid JSON: {error}") from error
    duplicates = tuple(_duplicates(text)) if repeated else ()
    return Document(value, cache(lambda: _places(text, first_line)), duplicates)


def is_json(text: str) -> bool:
    """Whether the whole text is one value of JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _constant(name: str) -> float:
    return float(name.replace("Infinity", "inf"))


def _sentence(error: json.JSONDecodeError) -> tuple[str, str]:
    if error.msg == "Extra data":
        return (
            "not valid JSON: text after the end of the spec",
            "several specs go one a line (JSON lines), or as a YAML stream",
        )
    return f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}", ""


def _within_bounds(text: str, first_line: int) -> None:
    if len(text) > MAX_DOCUMENT_CHARS:
        raise Unreadable((first_line, 1), f"too large for a spec: {len(text):,} characters", LARGER)
    depth = 0
    for number, token in enumerate(_TOKEN.finditer(text)):
        opening = token[0]
        depth += (opening in ("{", "[")) - (opening in ("}", "]"))
        if depth > MAX_DEPTH:
            raise Unreadable(_place(text, token.start(), first_line), f"nested more than {MAX_DEPTH} levels deep")
        if number > 4 * MAX_VALUES:
            raise Unreadable((first_line, 1), "too many values for a spec", LARGER)


def _place(text: str, offset: int, first_line: int) -> Place:
    return first_line + text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset)


@dataclass
class _Frame:
    """A mapping or list that is still open."""

    path: Path
    is_mapping: bool
    key: str | None = None
    index: int = 0

    def child(self) -> Path:
        """The path of the value that comes next."""
        if self.is_mapping:
            path, self.key = (*self.path, self.key or ""), None
        else:
            path, self.index = (*self.path, self.index), self.index + 1
        return path


def _walk(text: str) -> Iterator[tuple[Path, int, bool]]:
    """Path and offset of each key (True) and value (False) of a text that is known to be JSON."""
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(text):
        found = match[0]
        if found in ",:":
            continue
        if found in "]}":
            frames.pop()
            continue
        if frames and frames[-1].is_mapping and frames[-1].key is None:
            frames[-1].key = json.loads(found)
            yield (*frames[-1].path, frames[-1].key or ""), match.start(), True
            continue
        path = frames[-1].child() if frames else ()
        yield path, match.start(), False
        if found in "{[":
            frames.append(_Frame(path, found == "{"))


def _places(text: str, first_line: int) -> Places:
    values: dict[Path, Place] = {}
    keys: dict[Path, Place] = {}
    line, start, seen = first_line, 0, 0
    for path, offset, is_key in _walk(text):
        breaks = text.count("\n", seen, offset)
        if breaks:
            line, start = line + breaks, text.rfind("\n", seen, offset) + 1
        seen = offset
        (keys if is_key else values)[path] = (line, offset - start + 1)
    return Places(values, keys)


def _duplicates(text: str) -> Iterator[Finding]:
    """Keys given twice in one mapping; the places remembered are those of the last ones."""
    seen: set[Path] = set()
    for path, _, is_key in _walk(text):
        if not is_key:
            continue
        if path in seen:
            yield Finding(path, "duplicate key", "keep one of the two", at_key=True)
        seen.add(path)
