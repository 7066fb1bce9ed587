"""A small HTTP server for downloads: ranges, broken transfers, wrong bytes, and a count of what was asked."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Files:
    """What the server serves, and how badly.

    `cut_after` breaks each of the next transfers off after so many bytes; with a `gate` it stays silent until the
    gate opens, having sent `before_gate` bytes of the body.
    """

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: list[int] = []
        self.ranges = True
        self.base = ""
        self.gate: threading.Event | None = None
        self.before_gate = 0
        self.asked = threading.Event()

    def add(self, path: str, content: bytes) -> str:
        self.content[path] = content
        return f"{self.base}{path}"


@contextmanager
def serving() -> Iterator[Files]:
    files = Files()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            files.requests.append((self.path, wanted))
            files.asked.set()
            content = files.content.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(match[1]) if files.ranges and (match := re.match(r"bytes=(\d+)-", wanted or "")) else 0
            if start >= len(content) and start:
                self.send_error(416)
                return
            body = content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", _media_type(self.path))
            self.end_headers()
            if files.gate is not None:
                self.wfile.write(body[: files.before_gate])
                files.gate.wait(30)
                body = body[files.before_gate :]
            keep = files.cut_after.pop(0) if files.cut_after else len(body)
            self.wfile.write(body[:keep])
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    files.base = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()


def _media_type(path: str) -> str:
    return "text/html" if path.endswith("/") else "application/octet-stream"
