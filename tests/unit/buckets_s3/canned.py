"""A tiny HTTP server in this process that answers what it is told to, and remembers what it was asked.

Invariant: every request that reaches the socket is in `requests`, so a test can count what was really sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NOW = 1_760_000_000.0


@dataclass
class Request:
    """One request as it arrived; `peer` is the client's port, one for each connection."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    peer: int


@dataclass
class Answer:
    """What to answer. `cut` sends only the first bytes of the body; `drop` closes without a word; `stall` waits."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    date: float | None = NOW
    cut: int | None = None
    drop: bool = False
    stall: bool = False


def error(status: int, code: str = "", **more: float | None) -> Answer:
    """An S3 error; without a code the body is empty, as for HEAD."""
    text = f"<Error><Code>{code}</Code><Message>as told</Message></Error>" if code else ""
    return Answer(status, text.encode(), date=more.get("date", NOW))


def stored(body: bytes = b"", etag: str = '"abc"', **more: str) -> Answer:
    """A GET, HEAD or PUT that went well."""
    headers = {"ETag": etag, "Last-Modified": formatdate(NOW - 7, usegmt=True), **more}
    return Answer(200, body, headers)


class Canned:
    """The server: `answers` are given in turn, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.heard = threading.Event()  # set by the first request
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def next_answer(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def canned() -> Iterator[Canned]:
    """A server that lives as long as the block."""
    server = Canned()
    try:
        yield server
    finally:
        server.close()


def _handler(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            canned.requests.append(Request(self.command, self.path, headers, body, self.client_address[1]))
            canned.heard.set()
            answer = canned.next_answer()
            if answer.stall:
                canned.released.wait(30)
            if answer.drop or answer.stall:
                self.close_connection = True
                return
            self.reply(answer)

        def reply(self, answer: Answer) -> None:
            self.send_response_only(answer.status)
            if answer.date is not None:
                self.send_header("Date", formatdate(answer.date, usegmt=True))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut])
            self.close_connection = answer.cut is not None

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

    return Handler


Call = Callable[[], object]
