"""Reads YAML 1.2 and streams of it, with the place of every value.

Invariant: only what JSON can say comes out; plain words follow the core schema of YAML 1.2 (section 10.3), so `off`,
`no` and dates are text. Aliases are followed, and what they add up to is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gpujob.specs.documents import LARGER, MAX_DEPTH, MAX_DOCUMENT_CHARS, Document, Place, Places, Unreadable
from gpujob.specs.problems import Finding, Path

MAX_YAML_CHARS = 1024 * 1024
MAX_NODES = 50_000

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]{1,300}")
_OCTAL = re.compile(r"0o[0-7]{1,100}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def read_yaml(text: str) -> Iterator[Document]:
    """Each document of a stream that is not empty. Raises `Unreadable` where the text stops being YAML."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if len(text) > MAX_YAML_CHARS:
        suggestion = "many specs go one a line (JSON lines); " + LARGER
        raise Unreadable((1, 1), f"too large for YAML: {len(text):,} characters", suggestion)
    reader = YAML(typ="safe", pure=True)
    try:
        yield from _Stream(reader.parse(text)).documents()
    except YAMLError as error:
        raise _unreadable(error, text) from error
    except (ValueError, IndexError, RecursionError) as error:
        raise Unreadable((1, 1), f"not valid YAML: {error}") from error


def scalar(text: str) -> Any:
    """The value of a plain word."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    infinite = _INF.fullmatch(text)
    return float(f"{infinite[1]}inf") if infinite else text


class _Stream:
    """Turns the parser's events into nodes, and nodes into documents."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                self._anchors = {}
                expansion = _Expansion(self._node(next(self._events), 0))
                if expansion.value is not None:
                    yield expansion.document()

    def _node(self, event: Any, depth: int) -> _Node:
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            raise Unreadable(place, f"nested more than {MAX_DEPTH} levels deep")
        name = type(event).__name__
        if name == "AliasEvent":
            return self._aliased(event.anchor, place)
        tag = str(event.ctag) if event.ctag is not None else ""
        if name == "ScalarEvent":
            node = _Node(place, tag, event.value, is_plain=bool(event.implicit[0]))
        else:
            node = _Node(place, tag, [], is_mapping=name == "MappingStartEvent")
            self._fill(node, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _fill(self, node: _Node, depth: int) -> None:
        for event in self._events:
            if type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
                return
            node.parts.append(self._node(event, depth + 1))

    def _aliased(self, name: str, place: Place) -> _Node:
        if name not in self._anchors:
            raise Unreadable(place, f"not valid YAML: the alias *{name[:40]} stands for nothing that came before it")
        return self._anchors[name]


@dataclass
class _Node:
    """A scalar with its text, or a list or mapping with its parts (of a mapping, keys and values in turn)."""

    place: Place
    tag: str
    content: str | list[_Node]
    is_mapping: bool = False
    is_plain: bool = False

    @property
    def parts(self) -> list[_Node]:
        """The parts of a list or mapping."""
        assert isinstance(self.content, list)
        return self.content


class _Expansion:
    """The values of a tree of nodes, each alias written out, up to a bound."""

    def __init__(self, root: _Node) -> None:
        self._left = MAX_NODES
        self._chars_left = MAX_DOCUMENT_CHARS
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._findings: list[Finding] = []
        self.value = self._value(root, ())

    def document(self) -> Document:
        """The document with its places."""
        places = Places(self._values, self._keys)
        return Document(self.value, lambda: places, tuple(self._findings))

    def _value(self, node: _Node, path: Path) -> Any:
        self._values[path] = node.place
        self._spend(node, path)
        if isinstance(node.content, str):
            return self._scalar(node, path)
        if node.tag not in ("", "!", f"{_TAG}map" if node.is_mapping else f"{_TAG}seq"):
            self._findings.append(_tagged(path))
        if node.is_mapping:
            return self._mapping(node, path)
        return [self._value(part, (*path, number)) for number, part in enumerate(node.parts)]

    def _mapping(self, node: _Node, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in zip(node.parts[::2], node.parts[1::2], strict=True):
            if not isinstance(key.content, str):
                self._findings.append(Finding(path, "keys must be text"))
                continue
            name, under = key.content, (*path, key.content)
            self._keys[under] = key.place
            if name in found:
                self._findings.append(Finding(under, "duplicate key", "keep one of the two", at_key=True))
            found[name] = self._value(value, under)
        return found

    def _scalar(self, node: _Node, path: Path) -> Any:
        text = str(node.content)
        if node.tag in ("", "!"):
            return scalar(text) if node.is_plain else text
        if node.tag not in _SCALAR_TAGS:
            self._findings.append(_tagged(path))
        return text if node.tag == f"{_TAG}str" else scalar(text)

    def _spend(self, node: _Node, path: Path) -> None:
        self._left -= 1
        self._chars_left -= len(node.content) if isinstance(node.content, str) else 0
        if len(path) > MAX_DEPTH:
            raise Unreadable(node.place, f"nested more than {MAX_DEPTH} levels deep")
        if self._left < 0 or self._chars_left < 0:
            raise Unreadable(node.place, "too many values for a spec, once every alias is written out", LARGER)


_SCALAR_TAGS = tuple(_TAG + word for word in ("str", "int", "float", "bool", "null"))


def _tagged(path: Path) -> Finding:
    return Finding(path, "YAML tags have no meaning in a spec", "leave the tag out")


def _unreadable(error: Any, text: str) -> Unreadable:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    sentence = "not valid YAML: " + str(said).splitlines()[0]
    if mark is not None:
        return Unreadable((mark.line + 1, mark.column + 1), sentence)
    offset = min(getattr(error, "position", 0) or 0, len(text))
    return Unreadable((1 + text.count("\n", 0, offset), offset - text.rfind("\n", 0, offset)), sentence)
