"""The imitation of Google Cloud Storage as a server on the loopback, and what leads a program to it.

Invariant: it lives in the test's own process and ends with its block; its keys are of no use anywhere else.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.google import ACCESS_ID, SECRET
from tests.google.objects import Turnstile
from tests.google.requests import Answer, Asked
from tests.google.service import TOKEN_PATH, Service
from tests.leaks import ALLOWED

__all__ = ["ACCESS_ID", "BUCKET", "SECRET", "Imitation", "imitation"]

BUCKET = "imitated-bucket"


class Imitation:
    """A running server. `interrupt` may answer in the service's stead; `seen` are the last requests."""

    def __init__(self, now: Callable[[], float], turnstile: Turnstile, *, busy_first: bool) -> None:
        self.service = Service({ACCESS_ID: SECRET}, now, turnstile, busy_first=busy_first)
        self.service.make_bucket(BUCKET)
        self.seen: deque[Asked] = deque(maxlen=2000)
        self.interrupt: Callable[[Asked], Answer | None] = lambda asked: None
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}"

    @property
    def by_key(self) -> dict[str, str]:
        """The environment of a program that has the HMAC key."""
        return {
            "GPUJOB_GCS_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def by_login(self, folder: Path) -> dict[str, str]:
        """The environment of a program on a machine that is logged in, as a service account whose file is below `folder`."""
        place = folder / ALLOWED
        place.mkdir(exist_ok=True)
        account = self.service.tokens.write_account(place / "account.json", self.endpoint + TOKEN_PATH)
        return {
            "GPUJOB_GCS_ENDPOINT": self.endpoint,
            "GOOGLE_APPLICATION_CREDENTIALS": str(account),
            "NO_GCE_CHECK": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def answer(self, asked: Asked) -> Answer:
        self.seen.append(asked)
        return self.interrupt(asked) or self.service.answer(asked)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def imitation(
    *, now: Callable[[], float] = time.time, turnstile: Turnstile | None = None, busy_first: bool = True
) -> Iterator[Imitation]:
    """A server that lives as long as the block; by default as strict as it can be, in real time."""
    started = Imitation(now, turnstile or Turnstile(), busy_first=busy_first)
    try:
        yield started
    finally:
        started.close()


def in_chunks(body: bytes) -> bytes:
    """A body as `Transfer-Encoding: chunked` has it."""
    chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    return chunk + b"0\r\n\r\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Workers that are killed break their connections; what else goes wrong here, a test sees as its answer."""


def _handler(served: Imitation) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            self.reply(served.answer(Asked(self.command, path, query, headers, body)))

        def reply(self, answer: Answer) -> None:
            self.send_response_only(answer.status)
            self.send_header("Date", formatdate(served.service.now(), usegmt=True))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.of_unknown_length:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(in_chunks(answer.body) if answer.of_unknown_length else answer.body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815

    return Handler
