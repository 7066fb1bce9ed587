"""Reads the two shapes of request that earlier systems wrote, as they are.

    {"voice": ..., "steps": [...]}                            a narration request
    {"tool": "imagenGenerate", "payload": {...}, "priority": ...}   a queue request

Invariant: every part of the new shape leads back, through the moves, to the place where the author wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gpujob.specs.nearest import did_you_mean
from gpujob.specs.problems import Finding, Path

TOOLS = {"imagenGenerate": "image.generate", "ollamaChat": "chat.complete"}
_REQUEST = {"tool": "kind", "payload": "input", "priority": "priority"}
_NARRATION = ("steps", "segments", "voice")


@dataclass(frozen=True)
class Modern:
    """A spec in today's shape, and where its parts stood."""

    value: Mapping[str, Any]
    moves: dict[Path, Path] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def modernise(given: Mapping[str, Any]) -> Modern:
    """The same request in today's shape; a spec that is in it already comes back unchanged."""
    if "kind" in given or "input" in given:
        return Modern(given)
    if "tool" in given:
        return _queue_request(given)
    if any(name in given for name in _NARRATION):
        return Modern({"kind": "tts.narrate", "input": dict(given)}, {("input",): (), ("kind",): ()})
    return Modern(given)


def _queue_request(given: Mapping[str, Any]) -> Modern:
    value = {_REQUEST[name]: part for name, part in given.items() if name in _REQUEST}
    unknown = [name for name in given if name not in _REQUEST]
    findings = [Finding((name,), "unknown field", did_you_mean(name, _REQUEST), at_key=True) for name in unknown]
    tool = given["tool"]
    if isinstance(tool, str) and tool in TOOLS:
        value["kind"] = TOOLS[tool]
    else:
        findings.append(Finding(("kind",), "unknown", did_you_mean(str(tool), TOOLS) or "one of " + ", ".join(TOOLS)))
    return Modern(value, {("kind",): ("tool",), ("input",): ("payload",)}, tuple(findings))
