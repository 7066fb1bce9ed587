"""HTTP/1.1 as far as the fault proxy needs it: whole requests and whole answers, read from and written to streams.

Invariant: what is passed on is byte for byte what came, but for `Expect`, which the proxy meets itself, and the framing
of chunked answers. So signatures, which cover `Host`, stay right.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

LONGEST_HEAD = 1 << 16


@dataclass(frozen=True)
class Message:
    """A request or an answer: its first line, its headers as they came, its body."""

    first: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = b""

    @property
    def method(self) -> str:
        """Of a request."""
        return self.first.split(b" ", 1)[0].decode()

    @property
    def listing(self) -> bool:
        """Whether a request asks for a listing."""
        return b"list-type=2" in self.first

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first.split(b" ", 2)[1])

    def header(self, name: bytes) -> bytes:
        """A header's value, empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), b"")

    def with_body(self, body: bytes) -> Message:
        """The same headers, the length among them, over another body."""
        return replace(self, body=body)

    def head(self) -> bytes:
        """The message up to its body."""
        lines = [self.first, *(key + b": " + value for key, value in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def wire(self) -> bytes:
        """The whole message."""
        return self.head() + self.body


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message | None:
    """The next request with its body; None where the client has closed."""
    found = await _read_head(reader)
    if found is None:
        return None
    if found.header(b"expect"):
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        found = replace(found, headers=tuple(row for row in found.headers if row[0].lower() != b"expect"))
    return found.with_body(await reader.readexactly(int(found.header(b"content-length") or 0)))


async def read_answer(reader: asyncio.StreamReader, method: str) -> Message:
    """The answer to a request of that method, its body whole. Raises ConnectionError where the server has closed."""
    found = await _read_head(reader)
    while found is not None and found.status == 100:
        found = await _read_head(reader)
    if found is None:
        raise ConnectionResetError("the server closed the connection")
    if method == "HEAD" or found.status in (204, 304):
        return found
    if found.header(b"transfer-encoding").lower() == b"chunked":
        return _with_length(found, await _read_chunks(reader))
    length = found.header(b"content-length")
    return found.with_body(await reader.readexactly(int(length)) if length else await reader.read())


def answer(status: int, reason: str, code: str) -> Message:
    """An S3 error of the proxy's own."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
    headers = (
        (b"Content-Type", b"application/xml"),
        (b"Content-Length", str(len(body)).encode()),
        (b"Connection", b"close"),
    )
    return Message(f"HTTP/1.1 {status} {reason}".encode(), headers, body.encode())


async def _read_head(reader: asyncio.StreamReader) -> Message | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rows = head[:-4].split(b"\r\n")
    headers = [row.split(b":", 1) for row in rows]
    return Message(first, tuple((key, value.strip()) for key, value in headers))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readline()).strip():
        pass  # trailers
    return body


def _with_length(found: Message, body: bytes) -> Message:
    kept = [row for row in found.headers if row[0].lower() != b"transfer-encoding"]
    return Message(found.first, (*kept, (b"Content-Length", str(len(body)).encode())), body)
