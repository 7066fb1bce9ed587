"""The conversation as a page of Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_HEADINGS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


def transcript(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    answer: str,
    *,
    thinking: str = "",
    facts: Sequence[str] = (),
) -> str:
    """The page: every message in order (`images` are names), the answer, and a last line of `facts`."""
    blocks = [f"# A conversation with {model}"]
    for message in messages:
        blocks += _turn(str(message["role"]), str(message["content"]), message.get("images") or ())
    if thinking:
        blocks += ["## Assistant, thinking", "\n".join(f"> {line}" for line in thinking.strip().splitlines())]
    blocks += _turn("assistant", answer, ())
    if facts:
        blocks += ["---", ", ".join(facts)]
    return "\n\n".join(blocks) + "\n"


def _turn(role: str, content: str, images: Sequence[str]) -> list[str]:
    pictures = [f"*Picture: {name}*" for name in images]
    return [f"## {_HEADINGS.get(role, role.title())}", *pictures, *([content.strip()] if content.strip() else [])]
