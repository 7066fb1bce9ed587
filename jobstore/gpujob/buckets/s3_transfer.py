"""Bodies of any size to and from S3: one request, or an upload in parts.

Invariant: a transfer uses connections of its own, so that a big upload never holds up a beat, and an upload is never
seen half-done: an object appears when its last byte and its last part have arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from gpujob.buckets.s3_checksums import content_md5_of
from gpujob.buckets.s3_place import S3Place
from gpujob.errors import LocalDisk, Unavailable

if TYPE_CHECKING:
    from botocore.response import StreamingBody

CHUNK_BYTES = 1 << 20
PART_BYTES = 16 << 20  # larger files are uploaded in parts of this size
PART_THREADS = 4


def upload(place: S3Place, key: str, source: Path, media_type: str, part_bytes: int = PART_BYTES) -> None:
    """Puts a file's bytes under `key`: at once, or in parts where it is larger than `part_bytes`."""
    try:
        with source.open("rb") as handle:
            if source.stat().st_size > part_bytes:
                place.ask("PUT", key, lambda: _in_parts(place, key, handle, media_type, part_bytes))
            else:
                place.ask("PUT", key, lambda: _at_once(place, key, handle, media_type))
    except OSError as error:
        raise LocalDisk(f"Cannot read {source} to upload it: {error.strerror or error}") from error


@contextmanager
def download(place: S3Place, key: str, offset: int) -> Iterator[Iterator[bytes] | None]:
    """The object's bytes from `offset` on in chunks, None where there is no such object."""
    answer = place.ask_if_there("GET", key, lambda: _open(place, key, offset))
    if answer is None:
        yield None
    elif "Body" not in answer:
        yield iter(())
    else:
        with closing(answer["Body"]) as stream:
            yield _chunks(place, key, stream)


def _at_once(place: S3Place, key: str, handle: BinaryIO, media_type: str) -> None:
    settings: Any = {**place.at(key), "ContentType": media_type, "ContentMD5": content_md5_of(handle)}
    place.clients.transfer.put_object(Body=handle, **settings)


def _in_parts(place: S3Place, key: str, handle: BinaryIO, media_type: str, part_bytes: int) -> None:
    parts = TransferConfig(multipart_threshold=part_bytes, multipart_chunksize=part_bytes, max_concurrency=PART_THREADS)
    place.clients.multipart.upload_fileobj(
        handle, place.name, place.prefix + key, ExtraArgs={"ContentType": media_type}, Config=parts
    )


def _open(place: S3Place, key: str, offset: int) -> dict[str, Any]:
    """The answer to a GET; one without a body where `offset` is at or past the object's end (416)."""
    query: Any = {**place.at(key), **({"Range": f"bytes={offset}-"} if offset else {})}
    try:
        answer: Any = place.clients.transfer.get_object(**query)
    except ClientError as error:
        if offset and error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:
            return {}
        raise
    if offset and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
        answer["Body"].close()
        raise Unavailable(f"The store sent all of {key} where only the part from byte {offset} on was asked for.")
    return dict(answer)


def _chunks(place: S3Place, key: str, stream: StreamingBody) -> Iterator[bytes]:
    chunks = stream.iter_chunks(CHUNK_BYTES)
    while (chunk := place.ask("GET", key, lambda: next(chunks, None))) is not None:
        yield chunk
