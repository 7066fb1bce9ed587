"""A small S3 server whose dialect can be chosen: what real stores do differently, and what careless ones do wrong.

Invariant: with no switch set it keeps conditions as S3 documents them, one request at a time.
"""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

MEETING_S = 0.3


@dataclass(frozen=True)
class Dialect:
    """The switches."""

    unquoted_only: bool = False
    """`If-Match` holds for a bare ETag alone, as on Ceph and its relatives."""
    conflicts_first: bool = False
    """The first send of each conditional write that would succeed is answered 409: nothing was decided."""
    missing_is: int = 404
    """The answer to a replace of what is not there."""
    lag_s: float = 0.0
    """How far listings are behind."""
    ignores_create: bool = False
    """`If-None-Match` is passed over."""
    ignores_conditions: bool = False
    """Both conditions are passed over."""
    races: bool = False
    """Checks first and writes later, with room for others in between."""
    refuses_checksums: bool = False
    """A request with the SDK's own checksums is answered 401, as on R2."""
    implements_conditions: bool = True
    """Without it, a conditional write is answered 501."""


@dataclass
class Object:
    """A body and when it was written."""

    body: bytes
    at: float

    @property
    def etag(self) -> str:
        """The ETag without quotes."""
        return hashlib.md5(self.body).hexdigest()


@dataclass
class Store:
    """What is on the server, what was there before, and what was asked of it."""

    dialect: Dialect
    objects: dict[str, Object] = field(default_factory=dict)
    past: list[tuple[float, dict[str, Object]]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    deferred: set[tuple[str, bytes]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    meeting: threading.Condition = field(default_factory=threading.Condition)
    between: int = 0

    def changed(self) -> None:
        """Notes how things are from now on, for listings that lag."""
        if self.dialect.lag_s:
            self.past.append((time.monotonic(), dict(self.objects)))

    def listed(self) -> dict[str, Object]:
        """What a listing sees."""
        if not self.dialect.lag_s:
            return dict(self.objects)
        then = time.monotonic() - self.dialect.lag_s
        return next((seen for at, seen in reversed(self.past) if at <= then), {})

    def catch_up(self) -> None:
        """From here on listings see what is there."""
        self.past = [(0.0, self.objects)]

    def meet(self) -> None:
        """Waits, between the check and the write, until another writer is here too, or for a moment."""
        with self.meeting:
            self.between += 1
            self.meeting.notify_all()
            self.meeting.wait_for(lambda: self.between > 1, MEETING_S)
            self.between -= 1


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers from `store`, in its dialect."""

    store: Store
    protocol_version = "HTTP/1.1"

    @property
    def key(self) -> str:
        """What comes after the bucket."""
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self.key:
            self.answer(200)
        elif self.store.dialect.refuses_checksums and self._has_checksum():
            self.refuse(401, "Unauthorized")
        elif self._conditional and not self.store.dialect.implements_conditions:
            self.refuse(501, "NotImplemented")
        elif self.store.dialect.conflicts_first and self._conditional and not self._verdict() and self._is_first(body):
            self.refuse(409, "ConditionalRequestConflict")
        elif self.store.dialect.races and self._conditional:
            refused = self._verdict()
            self.store.meet()
            self._write(body, refused)
        else:
            with self.store.lock:
                self._write(body, self._verdict())

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self.key:
            self.answer(200, self._listing() if self.command == "GET" else b"")
            return
        found = self.store.objects.get(self.key)
        if found is None:
            self.refuse(404, "NoSuchKey")
        else:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.answer(206 if start else 200, found.body[start:], found)

    def do_DELETE(self) -> None:
        with self.store.lock:
            self.store.objects.pop(self.key, None)
            self.store.changed()
        self.answer(204)

    # -- conditions

    @property
    def _conditional(self) -> bool:
        return "If-None-Match" in self.headers or "If-Match" in self.headers

    def _verdict(self) -> int:
        """The status that refuses the write; 0 where it may be done."""
        dialect, found = self.store.dialect, self.store.objects.get(self.key)
        if dialect.ignores_conditions:
            return 0
        if "If-None-Match" in self.headers and not dialect.ignores_create and found is not None:
            return 412
        wanted = self.headers.get("If-Match")
        if wanted is None:
            return 0
        if found is None:
            return dialect.missing_is
        known = (found.etag,) if dialect.unquoted_only else (found.etag, f'"{found.etag}"')
        return 0 if wanted in known else 412

    def _write(self, body: bytes, refused: int) -> None:
        if refused:
            self.refuse(refused, "NoSuchKey" if refused == 404 else "PreconditionFailed")
            return
        made = self.store.objects[self.key] = Object(body, time.time())
        self.store.changed()
        self.answer(200, b"", made)

    def _is_first(self, body: bytes) -> bool:
        sent = (self.key, body)
        if sent in self.store.deferred:
            return False
        self.store.deferred.add(sent)
        return True

    def _has_checksum(self) -> bool:
        names = [name.lower() for name in self.headers]
        return any(name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")) for name in names)

    # -- answers

    def _listing(self) -> bytes:
        query = parse_qs(urlsplit(self.path).query)
        prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
        most = int(query.get("max-keys", ["1000"])[0])
        found = self.store.listed()
        wanted = sorted(key for key in found if key.startswith(prefix) and key > after)
        rows = "".join(_row(key, found[key]) for key in wanted[:most])
        more = "true" if len(wanted) > most else "false"
        return f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{rows}</ListBucketResult>".encode()

    def refuse(self, status: int, code: str) -> None:
        """An error as S3 words it."""
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def answer(self, status: int, body: bytes = b"", found: Object | None = None) -> None:
        """The answer, with what is known of an object."""
        self.store.answers[f"{self.command} {status}"] += 1
        self.send_response(status)
        if found is not None:
            self.send_header("ETag", f'"{found.etag}"')
            self.send_header("Last-Modified", formatdate(found.at, usegmt=True))
        length = len(found.body) if found is not None and self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def _row(key: str, found: Object) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.at))
    return (
        f'<Contents><Key>{escape(key)}</Key><Size>{len(found.body)}</Size><ETag>"{found.etag}"</ETag>'
        f"<LastModified>{at}</LastModified></Contents>"
    )


@contextmanager
def dialect_server(dialect: Dialect) -> Iterator[tuple[dict[str, str], Store]]:
    """The environment that leads to the server, and what is in it."""
    store = Store(dialect)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"store": store}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield (
            {
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_address[1]}",
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            store,
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
