"""The imitation's uploads in parts: begin, a part, complete, abort.

A condition is refused at the beginning and ignored at the end, as others measured on the real service, so that nobody
can decide anything with such an upload. Source: https://cloud.google.com/storage/docs/multipart-uploads
"""

from __future__ import annotations

import hashlib
import itertools
import re
import threading

from tests.google.objects import Objects
from tests.google.requests import Answer, Asked, Refused

SMALLEST = 5 << 20  # of all parts but the last
_NUMBERS = re.compile(r"<PartNumber>(\d+)</PartNumber>")


class Uploads:
    """The uploads of one bucket that are not complete."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._open: dict[str, dict[int, bytes]] = {}
        self._types: dict[str, str] = {}

    def handle(self, asked: Asked, name: str) -> Answer | None:
        """The answer to a request about an upload in parts; None where it is about something else."""
        query = asked.parameters
        if asked.method == "POST" and "uploads" in query:
            return self._begin(asked, name)
        if "uploadId" not in query:
            return None
        with self._lock:
            parts = self._open.get(query["uploadId"])
        if parts is None:
            raise Refused(404, "NoSuchUpload", "The requested upload was not found.")
        if asked.method == "PUT":
            parts[int(query["partNumber"])] = asked.body
            return Answer(headers={"ETag": f'"{hashlib.md5(asked.body).hexdigest()}"'})
        return self._end(asked, name, query["uploadId"], parts)

    def _begin(self, asked: Asked, name: str) -> Answer:
        if "x-goog-if-generation-match" in asked.headers:
            raise Refused(400, "NotImplemented", "An upload in parts takes no condition.")
        upload = f"imitated-{next(self._ids)}"
        with self._lock:
            self._open[upload] = {}
            self._types[upload] = asked.headers.get("content-type", "")
        text = f"<InitiateMultipartUploadResult><Key>{name}</Key><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        return Answer(body=text.encode())

    def _end(self, asked: Asked, name: str, upload: str, parts: dict[int, bytes]) -> Answer:
        with self._lock:
            self._open.pop(upload, None)
        if asked.method == "DELETE":
            return Answer(204)
        numbers = [int(one) for one in _NUMBERS.findall(asked.body.decode())]
        if not numbers or numbers != sorted(numbers) or not set(numbers) <= set(parts):
            raise Refused(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if any(len(parts[one]) < SMALLEST for one in numbers[:-1]):
            raise Refused(400, "EntityTooSmall", "A part before the last is too small.")
        body = b"".join(parts[one] for one in numbers)
        stored = self._objects.put(name, body, self._types[upload], None)
        return Answer(
            body=f"<CompleteMultipartUploadResult><ETag>{stored.etag}</ETag></CompleteMultipartUploadResult>".encode()
        )
