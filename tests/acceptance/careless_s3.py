"""A small S3 server that ignores conditions: it answers 200 and overwrites, as some real ones do."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

Objects = dict[str, bytes]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `objects`, whatever the request's conditions say."""

    objects: Objects
    protocol_version = "HTTP/1.1"

    @property
    def key(self) -> str:
        """What comes after the bucket."""
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.key:
            self.objects[self.key] = body
        self.answer(200, b"", body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self.key:
            self.answer(200, self.listing() if self.command == "GET" else b"")
        elif self.key in self.objects:
            self.answer(200, self.objects[self.key], self.objects[self.key])
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        self.objects.pop(self.key, None)
        self.answer(204, b"")

    def listing(self) -> bytes:
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(body)}</Size><ETag>{etag(body)}</ETag>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            for key, body in sorted(self.objects.items())
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()

    def answer(self, status: int, body: bytes, content: bytes | None = None) -> None:
        self.send_response(status)
        if content is not None:
            self.send_header("ETag", etag(content))
        self.send_header("Last-Modified", formatdate(usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


@contextmanager
def careless_s3() -> Iterator[tuple[dict[str, str], Objects]]:
    """The environment that leads to the server, and what is in it."""
    objects: Objects = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"objects": objects}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield (
            {
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_address[1]}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            objects,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
