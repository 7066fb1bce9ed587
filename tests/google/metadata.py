"""Our imitation of a Compute Engine machine's metadata server, which gives its service account's tokens to programs there.

It refuses what the real one refuses: a request without the header `Metadata-Flavor: Google`. Source:
https://cloud.google.com/compute/docs/metadata/querying-metadata and .../authenticate-workloads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.google.tokens import ACCOUNT, Tokens

ROOT = "/computeMetadata/v1/"
FLAVOR = ("Metadata-Flavor", "Google")


@contextmanager
def compute_engine(tokens: Tokens) -> Iterator[dict[str, str]]:
    """While the block runs a program with this environment is on such a machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(tokens))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    host = f"127.0.0.1:{server.server_port}"
    try:
        yield {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(tokens: Tokens) -> type[BaseHTTPRequestHandler]:
    def found(path: str) -> tuple[str, str] | None:
        """The type and the text of what is at a path."""
        if path in ("", "universe/universe-domain"):
            return "application/text", "googleapis.com" if path else ""
        if path == "project/project-id":
            return "application/text", "imitation"
        account, _, what = path.removeprefix("instance/service-accounts/").partition("/")
        if account not in ("default", ACCOUNT):
            return None
        if what == "token":
            token = {"access_token": tokens.fresh(), "expires_in": int(tokens.lasts_s), "token_type": "Bearer"}
            return "application/json", json.dumps(token)
        scopes = ["https://www.googleapis.com/auth/cloud-platform"]
        return "application/json", json.dumps({"aliases": ["default"], "email": ACCOUNT, "scopes": scopes})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix(ROOT).strip("/")
            answer = found(path) if self.headers.get(FLAVOR[0]) == FLAVOR[1] else None
            status = 200 if answer else 404 if self.headers.get(FLAVOR[0]) else 403
            kind, text = answer or ("text/html", "no")
            self.send_response_only(status)
            for name, value in (FLAVOR, ("Content-Type", kind), ("Content-Length", str(len(text)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    return Handler
