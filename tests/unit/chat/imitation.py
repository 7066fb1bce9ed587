"""An imitation of Ollama's HTTP API, in this process, for what a real daemon cannot be made to do at will.

Strict: an unknown path, method or field is an error that the test sees. Its shapes are those of the API of 0.6.5, against
which the acceptance tests run.
"""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION = "0.6.5"
PATIENCE_S = 20.0
FIELDS = {
    "/api/chat": {"model", "messages", "tools", "stream", "format", "options", "keep_alive"},
    "/api/pull": {"model", "insecure", "stream"},
}
OPTIONS = {"temperature", "top_p", "top_k", "seed", "num_ctx", "num_predict", "stop"}


def piece(text: str, **more: Any) -> dict[str, Any]:
    """One line of a streamed answer."""
    message = {"role": "assistant", "content": text, **more}
    return {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}


def closing(reason: str = "stop", *, prompt: int = 7, completion: int = 3) -> dict[str, Any]:
    """The last line of a streamed answer. Times are nanoseconds."""
    counts = {"prompt_eval_count": prompt, "eval_count": completion}
    times = {"total_duration": 3 * 10**9, "load_duration": 10**9, "prompt_eval_duration": 5 * 10**8}
    done = {"done": True, "done_reason": reason, "eval_duration": 15 * 10**8}
    return {**piece(""), **done, **counts, **times}


def entry(name: str, **more: Any) -> dict[str, Any]:
    """A model as /api/tags and /api/ps list it."""
    return {"name": name, "model": name, "digest": f"{abs(hash(name)):064x}"[:64], "size": 100, **more}


@dataclass
class Ollama:
    """What the imitation has and does. `answer` and `pulling` are lines to stream; an Event among them is waited for,
    an Exception breaks the connection.
    """

    models: list[str] = field(default_factory=lambda: ["smollm2:135m"])
    loaded: dict[str, int] = field(default_factory=dict)  # name -> bytes on the GPU
    vram: int = 0
    answer: list[Any] = field(default_factory=lambda: [piece("Hello"), piece(" there"), closing()])
    pulling: list[Any] = field(default_factory=list)
    refusal: tuple[int, str] | None = None  # of every chat that has messages
    refusal_to_load: tuple[int, str] | None = None
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def asked(self, path: str) -> list[dict[str, Any]]:
        """The bodies of the requests to a path."""
        return [body for where, body in self.requests if where == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ollama: Ollama

    def do_GET(self) -> None:
        lists = {
            "/api/version": lambda: {"version": VERSION},
            "/api/tags": lambda: {"models": [entry(name) for name in self.ollama.models]},
            "/api/ps": lambda: {
                "models": [entry(name, size_vram=size, expires_at=None) for name, size in self.ollama.loaded.items()]
            },
        }
        if self.path in lists:
            self._reply(200, lists[self.path]())
        else:
            self._fault(f"GET {self.path}")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.ollama.requests.append((self.path, body))
        if unknown := set(body) - FIELDS.get(self.path, set()) | set(body.get("options") or ()) - OPTIONS:
            self._fault(f"{self.path} with {sorted(unknown)}")
        elif self.path == "/api/pull":
            if self.ollama.pulling and self.ollama.pulling[-1] == {"status": "success"}:
                self.ollama.models.append(body["model"])  # before it is said: whoever hears of success asks at once
            self._stream(self.ollama.pulling)
        else:
            self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        refusal = self.ollama.refusal if body["messages"] else self.ollama.refusal_to_load
        if body["model"] not in self.ollama.models:
            self._reply(404, {"error": f'model "{body["model"]}" not found, try pulling it first'})
        elif refusal is not None:
            self._reply(refusal[0], {"error": refusal[1]})
        elif not body["messages"] and body.get("keep_alive") == 0:
            self.ollama.loaded.pop(body["model"], None)
            self._reply(200, {**piece(""), "done": True, "done_reason": "unload"})
        elif not body["messages"]:
            self.ollama.loaded[body["model"]] = self.ollama.vram
            self._reply(200, {**piece(""), "done": True, "done_reason": "load"})
        else:
            self._stream(self.ollama.answer)

    def _stream(self, lines: list[Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            if isinstance(line, threading.Event):
                if not self._wait(line):
                    return
            elif isinstance(line, Exception):
                self.close_connection = True
                return
            else:
                data = json.dumps(line).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _wait(self, gate: threading.Event) -> bool:
        """False when the other side has hung up before the gate was opened."""
        for _ in range(int(PATIENCE_S / 0.02)):
            if gate.wait(0.02):
                return True
            if select.select([self.connection], [], [], 0)[0]:
                self.ollama.hung_up.set()
                self.close_connection = True
                return False
        self.ollama.faults.append("a gate was never opened")
        return False

    def _reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _fault(self, text: str) -> None:
        self.ollama.faults.append(text)
        self._reply(501, {"error": f"the imitation does not know {text}"})

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def imitation(**facts: Any) -> Iterator[Ollama]:
    """A running imitation; at the end of the block, nothing strange may have been asked of it."""
    ollama = Ollama(**facts)
    handler = type("Handler", (_Handler,), {"ollama": ollama})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    ollama.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield ollama
    finally:
        server.shutdown()
        server.server_close()
    assert ollama.faults == []
