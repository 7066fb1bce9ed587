"""Keeps secrets out of what is written down: the values that a job was handed, and passwords in addresses.

Invariant: what `Redactor.text` returns holds none of its values, as they are or as JSON, Python, a URL or base64 write
them. It cannot know what an executor does to a secret beside that; a file that an executor makes is its own affair.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Characters of a value that is looked for: a shorter one stands in too much that is no secret."""

_PASSWORD = re.compile(r"(?<=://)[^/?#\s'\"<>]*@")


def without_passwords(text: str) -> str:
    """`text` in which no address names a user or a password."""
    return _PASSWORD.sub("", text)


class Redactor:
    """Puts `[secret NAME]` where one of the values stands. Without values it changes nothing, and costs nothing."""

    def __init__(self, values: Mapping[str, str]) -> None:
        forms = {form: name for name, value in values.items() for form in _forms(value)}
        self._names = forms
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """A text without the values."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"[secret {self._names[found[0]]}]", text)

    def json(self, value: Any) -> Any:
        """A JSON value without the values, in its keys either."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.json(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.json(one) for one in value]
        return value


def too_short(values: Mapping[str, str]) -> list[str]:
    """The names of values that are too short to be looked for."""
    return sorted(name for name, value in values.items() if 0 < len(value) < SHORTEST)


def _forms(value: str) -> Iterator[str]:
    """What a value looks like where it was written down; of one with several lines, each line too."""
    for part in {value, *value.splitlines()}:
        if len(part.strip()) < SHORTEST:
            continue
        yield part
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield repr(part)[1:-1]
        yield quote(part, safe="")
        yield quote(part)
        yield quote_plus(part)
        yield base64.b64encode(part.encode()).decode().rstrip("=")
        yield base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
