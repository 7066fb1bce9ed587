"""An imitation of Ollama's model registry on loopback: it serves what a daemon's own model folder holds.

It speaks as the real one does: a manifest, then blobs by digest, each redirected to another host name, in ranges. It can
hold back the rest of a blob until it is allowed to go on, so that a test sees a fetch half-way.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE_S = 60.0
BLOCK_BYTES = 1 << 20
ALL = 1 << 40


@dataclass
class Registry:
    """What is served, and what has been asked of it. No blob goes past what is allowed, in bytes."""

    folder: Path
    allowed: int = ALL
    changed: threading.Condition = field(default_factory=threading.Condition)
    ranges: list[tuple[str, int]] = field(default_factory=list)  # digest, first byte
    port: int = 0

    def allow(self, size_bytes: int) -> None:
        """Lets every blob go so far."""
        with self.changed:
            self.allowed = size_bytes
            self.changed.notify_all()

    def wait_to_pass(self, offset_bytes: int) -> None:
        """Returns when a blob may go on from there."""
        with self.changed:
            self.changed.wait_for(lambda: offset_bytes < self.allowed, PATIENCE_S)

    @property
    def host(self) -> str:
        """The first part of the names of its models."""
        return f"127.0.0.1:{self.port}"

    def manifest(self, name: str, tag: str) -> Path:
        """Where the manifest of a model lies."""
        return self.folder / "manifests" / "registry.ollama.ai" / "library" / name / tag

    def blob(self, digest: str) -> Path:
        """Where a blob lies."""
        return self.folder / "blobs" / digest.replace(":", "-")

    def size_bytes(self, name: str, tag: str) -> int:
        """The size of a model, all layers together."""
        manifest = json.loads(self.manifest(name, tag).read_bytes())
        return sum(layer["size"] for layer in [*manifest["layers"], manifest["config"]])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        match self.path.strip("/").split("/"):
            case ["v2", "library", name, "manifests", tag]:
                self._file(self.registry.manifest(name, tag))
            case ["v2", "library", _, "blobs", digest] if self.command == "HEAD":
                self._file(self.registry.blob(digest))
            case ["v2", "library", _, "blobs", digest]:
                self.send_response(307)
                self.send_header("Location", f"http://localhost:{self.registry.port}/data/{digest}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case ["data", digest]:
                self._blob(digest)
            case _:
                self.send_error(404)

    def _file(self, path: Path) -> None:
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(path.read_bytes())

    def _blob(self, digest: str) -> None:
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        self.registry.ranges.append((digest, first))
        self.send_response(206)
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        with self.registry.blob(digest).open("rb") as stream, suppress(ConnectionError):
            stream.seek(first)
            while first <= last:
                self.registry.wait_to_pass(first)
                block = stream.read(min(BLOCK_BYTES, last - first + 1))
                self.wfile.write(block)
                first += len(block)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(folder: Path, *, allowed: int = ALL) -> Iterator[Registry]:
    """A registry of the models in a daemon's folder (OLLAMA_MODELS)."""
    registry = Registry(folder, allowed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    server.daemon_threads = True
    registry.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield registry
    finally:
        registry.allow(ALL)
        server.shutdown()
        server.server_close()
