"""A bucket in a folder of this machine: the embedded store, shared by any number of threads and processes.

Invariant: every conditional write compares and changes as one step (see `steps`), and no half-written object is ever
visible: an object is written to `.scratch`, synced, and only then named. A process killed at any point leaves at most a
scratch file; those older than an hour are swept. What somebody else put under an object's name and is no plain file is
passed over in listings, never read, written through or removed; a folder of the store that is a link is refused.

Synced are an object's bytes before it is named and its folder after. Deletes are not: after a power cut an object may be
back, which the protocol allows. (On macOS, fsync reaches the drive but may stop at its cache.) `last_modified` and
`date` are both `now`, the machine's wall clock. The folder must be on a local file system with hard links (ext4, XFS,
Btrfs, APFS, ...); on others the first write raises `UnsafeStore`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from os.path import dirname
from pathlib import Path

from gpujob.buckets.base import PAGE, Entry, Found, Head, Listing
from gpujob.buckets.folder.disk import Disk
from gpujob.buckets.folder.names import file_of, folder_of
from gpujob.buckets.folder.object_file import CHUNK_BYTES, OpenObject, Stranger, chunks, understood
from gpujob.buckets.folder.reports import reported
from gpujob.buckets.folder.steps import Steps
from gpujob.buckets.folder.tree import keys_in
from gpujob.clock import SYSTEM
from gpujob.errors import Configuration, LocalDisk, PreconditionFailed, UnsafeName


class FolderBucket:
    """The bucket in the folder `root`, which is made at the first write.

    Beside the errors of every bucket: `LocalDisk` (full, read-only, no permission; nothing was written), `UnsafeName`
    (a key with an empty, `.` or `..` part, or too long), `UnsafeStore` (a file system without hard links).
    """

    def __init__(
        self,
        root: Path,
        now: Callable[[], float] = SYSTEM.now,
        *,
        sleep: Callable[[float], None] = SYSTEM.sleep,
        disk: Disk | None = None,
    ) -> None:
        self.root = root.absolute()
        self._now = now
        self._disk = disk or Disk()
        self._steps = Steps(str(self.root), now, sleep, self._disk)

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def _file(self, key: str) -> str:
        return f"{self.root}/{file_of(key)}"

    def _folder(self, prefix: str) -> str:
        """The folder in which a listing begins."""
        below = prefix.rpartition("/")[0]
        with suppress(UnsafeName):  # no key has such a prefix
            return f"{self.root}/{folder_of(below)}" if below else str(self.root)
        return str(self.root)

    @contextmanager
    def _read(self, key: str) -> Iterator[OpenObject | None]:
        path = self._file(key)
        with reported("read", key):
            self._steps.require_own(dirname(path))
            with self._steps.opened(path) as found:
                yield found

    def get(self, key: str, *, max_bytes: int | None = None) -> Found | None:
        date, end = self._now(), None if max_bytes is None else max_bytes + 1
        with self._read(key) as found:
            if found is None:
                return None
            body = b"".join(chunks(self._disk, found, 0, end))
            return Found(found.version, found.size_bytes, found.last_modified, date, body)

    def head(self, key: str) -> Head | None:
        date = self._now()
        with self._read(key) as found:
            if found is None:
                return None
            return Head(found.version, found.size_bytes, found.last_modified, date)

    def list(self, prefix: str, *, after: str = "", limit: int = PAGE) -> Listing:
        """Opens only the objects of the answer; of all others it reads the names alone."""
        limit, date = min(limit, PAGE), self._now()
        entries: list[Entry] = []
        with reported("list", prefix):
            self._steps.require_own(self._folder(prefix))
            for entry in self._entries(prefix, after):
                if len(entries) == limit:
                    return Listing(tuple(entries), True, date)
                entries.append(entry)
        return Listing(tuple(entries), False, date)

    def _entries(self, prefix: str, after: str) -> Iterator[Entry]:
        for key in keys_in(self._disk, str(self.root), prefix, after):
            entry = self._entry(key)
            if entry is not None:
                yield entry

    def _entry(self, key: str) -> Entry | None:
        """The object's row; None where it was deleted since its name was read, and for what is no plain file."""
        with suppress(Stranger), self._steps.opened(self._file(key)) as found:
            if found is not None:
                return Entry(key, found.version, found.size_bytes, found.last_modified)
        return None

    def delete(self, key: str) -> None:
        path = self._file(key)
        with reported("delete", key), suppress(Stranger):
            self._steps.require_own(dirname(path))
            with self._steps.held(path) as old:
                if old is None:
                    return
                self._disk.unlink(path)
            self._steps.prune(path)

    def create(self, key: str, body: bytes) -> str:
        path = self._file(key)
        with reported("write", key):
            self._steps.require_own(dirname(path), writes=True)
            if self._steps.exists(path):  # spares the loser of a race its write
                raise PreconditionFailed(f"{key} is there already")
            with self._steps.fresh([body]) as (scratch, version):
                if not self._steps.linked(scratch, path):
                    raise PreconditionFailed(f"{key} is there already")
            self._steps.settle(path)
        return version

    def replace(self, key: str, body: bytes, version: str) -> str:
        path = self._file(key)
        with reported("write", key):
            self._steps.require_own(dirname(path), writes=True)
            with self._steps.opened(path) as old:  # spares the loser of a race its write
                _check(key, old, version)
            with self._steps.fresh([body]) as (scratch, fresh), self._steps.held(path) as old:
                _check(key, old, version)
                self._steps.renamed(scratch, path)
            self._steps.settle(path)
        return fresh

    def upload(self, key: str, source: Path, *, media_type: str = "application/octet-stream") -> None:
        """Puts a file's bytes under `key`. The media type is not kept: a folder has no place for it."""
        path = self._file(key)
        with reported("write", key):
            self._steps.require_own(dirname(path), writes=True)
            with self._steps.fresh(_pieces(source)) as (scratch, _):
                while not self._steps.linked(scratch, path) and not self._overwritten(scratch, path):
                    pass  # created and deleted between the two; either way somebody else got on
            self._steps.settle(path)

    def _overwritten(self, scratch: str, path: str) -> bool:
        try:
            with self._steps.held(path) as old:
                if old is not None:
                    self._steps.renamed(scratch, path)
                return old is not None
        except Stranger:
            raise Configuration(f"{path} is no plain file, and stays", hint="Remove it.") from None

    @contextmanager
    def download(self, key: str, *, offset: int = 0) -> Iterator[Iterator[bytes] | None]:
        path = self._file(key)
        with reported("read", key):
            self._steps.require_own(dirname(path))
            fd = self._steps.open(path)
        if fd is None:
            yield None
            return
        stream = self._stream(key, fd, offset)
        try:
            yield stream
        finally:
            stream.close()
            with suppress(OSError):
                self._disk.close(fd)

    def _stream(self, key: str, fd: int, offset: int) -> Generator[bytes, None, None]:
        with reported("read", key):
            yield from chunks(self._disk, understood(self._disk, fd), offset)


def _check(key: str, old: OpenObject | None, version: str) -> None:
    if old is None or old.version != version:
        raise PreconditionFailed(f"{key} is {'absent' if old is None else 'at another version'}")


def _pieces(source: Path) -> Iterator[bytes]:
    try:
        with source.open("rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece
    except OSError as error:
        raise LocalDisk(f"cannot read {source} to upload it: {error.strerror}") from error
