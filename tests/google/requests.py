"""What the imitation of Google Cloud Storage is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Asked:
    """One request as it came in: `path` and `query` undecoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    of_unknown_length: bool = False


class Refused(Exception):
    """An error of the XML API: its status and its code."""

    def __init__(self, status: int, code: str, message: str = "as told") -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message

    def answer(self) -> Answer:
        text = f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message></Error>"
        return Answer(
            self.status, {"Content-Type": "application/xml"}, f"<?xml version='1.0' encoding='UTF-8'?>{text}".encode()
        )
