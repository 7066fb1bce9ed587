"""What worker and child say to each other: one JSON object a line, over the child's standard input and output.

From the worker: load, run, device, stop, reply, close. From the child: ready, progress, loading, artifact, cache_get,
cache_put, log, warn, and one answer to each order: loaded, device, done, failed or stopped. Files pass by path. Each order
carries a mark, which the child writes to its output before it answers: so far goes what belongs to that order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

MAX_MESSAGE_BYTES = 8 * 2**20


class Garbled(Exception):
    """A line that is no message: something else writes to the pipe."""


def write(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Sends one message. Raises ValueError for what is not JSON, OSError where nobody reads any more."""
    stream.write(json.dumps(message, allow_nan=False, separators=(",", ":")).encode() + b"\n")
    stream.flush()


def read(stream: BinaryIO) -> dict[str, Any] | None:
    """The next message; None at the end of the stream. Raises Garbled."""
    line = stream.readline(MAX_MESSAGE_BYTES)
    if not line.endswith(b"\n"):
        if len(line) < MAX_MESSAGE_BYTES:
            return None  # the end, or the first half of what a dying process wanted to say
        raise Garbled("a message is longer than 8 MiB")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Garbled(f"not JSON: {line[:100]!r}") from error
    if not isinstance(message, dict):
        raise Garbled(f"not an object: {line[:100]!r}")
    return message
