"""An imitation of a model hub on loopback: as much of its HTTP as the real `huggingface_hub` asks for to fetch a model.

Not the hub: it has no Git, no LFS and no accounts but one token. Invariant: every request is kept, with its token.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0ff"
TOKEN = "hf_the_token_of_the_test"


@dataclass
class Hub:
    """Models by name, each a mapping of file names to bytes."""

    models: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path and token of each request
    stalling: str = ""  # a file that stops half-way
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def sent(self) -> list[str]:
        """The files whose bytes were asked for."""
        found = (re.search(r"^GET .*/resolve/[^/]+/(.+)", path) for path, _ in self.asked)
        return [match[1] for match in found if match]


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serves `hub` on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            _answer(self, hub)

        def do_HEAD(self) -> None:
            _answer(self, hub)

        def log_message(self, *args: Any) -> None:
            """Says nothing: what was asked is in the hub."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, hub: Hub) -> None:
    path = unquote(urlsplit(request.path).path)
    token = (request.headers.get("Authorization") or "").removeprefix("Bearer ") or None
    hub.asked.append((f"{request.command} {path}", token))
    name = _model_of(path)
    files = hub.models.get(name)
    if files is None or (name in hub.private and token != TOKEN):
        status = 404 if token else 401  # the hub does not tell a stranger what there is
        _send(request, status, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
    elif _revision_of(path) not in ("main", COMMIT):
        _send(request, 404, b"", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
    elif "/resolve/" in path:
        _send_file(request, hub, path.partition("/resolve/")[2].partition("/")[2], files)
    elif "/tree/" in path:
        _send_json(request, [_entry(file, data) for file, data in files.items()])
    else:
        siblings = [{"rfilename": file, "size": len(data), "blobId": _digest(data)} for file, data in files.items()]
        _send_json(request, {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []})


def _model_of(path: str) -> str:
    return "/".join(path.removeprefix("/api/models").strip("/").split("/")[:2])


def _revision_of(path: str) -> str:
    found = re.search(r"/(?:resolve|revision|tree)/([^/]+)", path)
    return found[1] if found else "main"


def _entry(file: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": file, "size": len(data), "oid": _digest(data)}


def _send_file(request: BaseHTTPRequestHandler, hub: Hub, file: str, files: dict[str, bytes]) -> None:
    if file not in files:
        _send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        return
    data = files[file]
    headers = {"ETag": f'"{_digest(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
    start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    stall = hub if file == hub.stalling and request.command == "GET" else None
    _send(request, 206 if start else 200, data[start:], headers, stall=stall)


def _send_json(request: BaseHTTPRequestHandler, value: Any) -> None:
    _send(request, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _send(
    request: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str], *, stall: Hub | None = None
) -> None:
    request.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command == "HEAD":
        return
    if stall is not None:
        request.wfile.write(body[: len(body) // 2])
        stall.stalled.set()
        stall.go_on.wait(200)
        body = body[len(body) // 2 :]
    request.wfile.write(body)


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()
