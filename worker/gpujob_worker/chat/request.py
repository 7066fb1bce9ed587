"""What the daemon is asked, from a job's input. Pure, but for reading the job's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def messages_of(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The conversation that an input means, as {role, content, images?}; pictures are still names of files."""
    if given.get("messages"):
        return [_message(one) for one in given["messages"]]
    system = [{"role": "system", "content": given["system"]}] if given.get("system") else []
    return [*system, {"role": "user", "content": given["prompt"]}]


def request_of(
    given: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], files: Mapping[str, Path]
) -> dict[str, Any]:
    """The arguments of `ollama.Client.chat`, without the model.

    Pictures go in as bytes, never as text: the package would open any file of this machine that a text names.
    """
    request: dict[str, Any] = {"messages": [_with_pictures(one, files) for one in messages]}
    request["options"] = options_of(given)
    return request | {name: given[name] for name in ("format", "keep_alive") if given.get(name) is not None}


def options_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that an input sets; the others are the model's own."""
    options = given.get("options") or {}
    return {name: list(value) if name == "stop" else value for name, value in options.items() if value is not None}


def most_tokens(given: Mapping[str, Any]) -> int:
    """How many tokens the answer has at most; 0 where nothing is said of it."""
    return max(0, int((given.get("options") or {}).get("num_predict") or 0))


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    """One turn, without the pictures that it has not; its text may be empty."""
    said = {"role": given["role"], "content": given["content"]}
    return said | {"images": list(given["images"])} if given.get("images") else said


def _with_pictures(message: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, Any]:
    if not message.get("images"):
        return dict(message)
    return {**message, "images": [files[name].read_bytes() for name in message["images"]]}
