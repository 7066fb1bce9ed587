"""The steps that make a folder safe to share: naming a new file, and changing what a name means.

Invariant: a name goes from nothing to an object only by link(2), which fails where something is; and from an object to
another or to nothing only by a process that holds that very file's lock and has seen, under it, that the name still
means this file.

The lock is flock(2) on the object's own file, so there are no lock files to clean up. The kernel drops it with the process:
kill -9 blocks nobody. A holder that is suspended blocks only its own key; the others get `Busy` after `LOCK_PATIENCE_S`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import accumulate
from os.path import dirname

from gpujob.buckets.folder.disk import Disk
from gpujob.buckets.folder.object_file import OpenObject, Stranger, first_line, understood, write_all
from gpujob.chance import nonce, system_random
from gpujob.errors import Busy, Configuration, Unavailable, UnsafeStore

LOCK_PATIENCE_S = 5.0
SCRATCH_AGE_S = 3600.0
_TRIES = 1000  # of a step that others can undo; each failure means that one of them got on
_NO_FILE = (errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP)  # a link, a socket, a device of nobody's
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Steps:
    """The atomic steps of one folder. All of them may raise `OSError`, which the verbs translate."""

    def __init__(self, root: str, now: Callable[[], float], sleep: Callable[[float], None], disk: Disk) -> None:
        self.disk = disk
        self._root = root
        self._scratch = f"{root}/.scratch"
        self._now = now
        self._sleep = sleep
        self._rng = system_random()
        self._swept_at: float | None = None

    def require_own(self, folder: str, *, writes: bool = False) -> None:
        """Raises Configuration where a folder from below the root to `folder`, or a write's scratch folder, is a link.

        The root may be one: that is the choice of whoever named it.
        """
        parts = [part for part in folder[len(self._root) :].split("/") if part]
        folders = [f"{self._root}/{below}" for below in accumulate(parts, "{}/{}".format)]
        link = self.disk.first_link([*folders, self._scratch] if writes else folders)
        if link:
            raise Configuration(
                f"{link} is a link, and the folders of a store are its own",
                hint="Remove the link, or give the store a folder of its own.",
            )

    def open(self, path: str) -> int | None:
        """The file of that name, or None. Raises Stranger for what cannot be opened because it is none."""
        try:
            return self.disk.open(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NO_FILE:
                raise Stranger from error
            raise

    def exists(self, path: str) -> bool:
        try:
            self.disk.facts_at(path)
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def opened(self, path: str) -> Iterator[OpenObject | None]:
        """The object of that name, open for reading."""
        fd = self.open(path)
        if fd is None:
            yield None
            return
        try:
            yield understood(self.disk, fd)
        finally:
            with suppress(OSError):
                self.disk.close(fd)

    @contextmanager
    def held(self, path: str) -> Iterator[OpenObject | None]:
        """The object of that name, which nobody else can replace or remove within the block."""
        fd = self._take(path)
        if fd is None:
            yield None
            return
        try:
            yield understood(self.disk, fd)
        finally:
            with suppress(OSError):
                self.disk.unlock(fd)  # explicitly: a forked child may have the file open too
            with suppress(OSError):
                self.disk.close(fd)

    def _take(self, path: str) -> int | None:
        for pause_s in self._pauses_s():
            fd = self.open(path)
            if fd is None or self._locked(fd, path):
                return fd
            self._sleep(pause_s)
        raise Busy(f"another process has held {path} for {LOCK_PATIENCE_S:g} s; is one suspended?")

    def _locked(self, fd: int, path: str) -> bool:
        """Whether the lock was free and the name still means this file; closes it where not."""
        held = False
        try:
            self.disk.lock(fd)
            held = self._still(fd, path)
        except BlockingIOError:
            pass
        finally:
            if not held:
                self.disk.close(fd)
        return held

    def _still(self, fd: int, path: str) -> bool:
        mine = self.disk.facts(fd)
        try:
            named = self.disk.facts_at(path)
        except FileNotFoundError:
            return False
        return (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino)

    def _pauses_s(self) -> Iterator[float]:
        waited_s, pause_s = 0.0, 0.0005
        while waited_s < LOCK_PATIENCE_S:
            next_s = pause_s * self._rng.uniform(0.5, 1.0)
            yield next_s
            waited_s += next_s
            pause_s = min(pause_s * 2, 0.05)

    @contextmanager
    def fresh(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
        """A new object without a name, written and synced: its scratch path and its version."""
        version = nonce(self._rng)
        path = f"{self._scratch}/{version}"
        fd = self._scratch_file(path)
        try:
            try:
                write_all(self.disk, fd, [first_line(version, self._now())])
                write_all(self.disk, fd, pieces)
                self.disk.sync(fd)
                self._sweep_at_times(fd)
            finally:
                self.disk.close(fd)
            yield path, version
        finally:
            with suppress(OSError):
                self.disk.unlink(path)

    def _scratch_file(self, path: str) -> int:
        try:
            return self.disk.make(path)
        except FileNotFoundError:
            self._make_folder(self._scratch)
            return self.disk.make(path)

    def linked(self, scratch: str, path: str) -> bool:
        """Gives the new object its name; False where the name is taken."""
        for _ in range(_TRIES):
            try:
                self.disk.link(scratch, path)
                return True
            except FileExistsError:
                return False
            except FileNotFoundError:
                if not self.exists(scratch):
                    raise _swept(scratch) from None
                self._make_folder(dirname(path))
            except OSError as error:
                if error.errno in _NO_LINKS:
                    raise _no_links(self._root) from error
                raise
        raise Busy(f"the folder of {path} is removed by others all the time")

    def renamed(self, scratch: str, path: str) -> None:
        """Gives the new object a name that means another object; only within `held`."""
        try:
            self.disk.rename(scratch, path)
        except FileNotFoundError:
            raise _swept(scratch) from None

    def _make_folder(self, folder: str) -> None:
        with suppress(FileExistsError):
            try:
                self.disk.mkdir(folder)
            except FileNotFoundError:
                self._make_folder(dirname(folder))
                with suppress(FileNotFoundError):  # removed again by somebody: the caller tries again
                    self.disk.mkdir(folder)
            self._sync_folder(dirname(folder))

    def _sync_folder(self, folder: str) -> None:
        fd = self.open(f"{folder}/.")  # the root may be a link
        if fd is None:
            return  # removed since, with all that was in it
        try:
            self.disk.sync(fd)
        finally:
            self.disk.close(fd)

    def settle(self, path: str) -> None:
        """Syncs the folder of a name that was just given. A failure leaves open whether the write survives."""
        try:
            self._sync_folder(dirname(path))
        except OSError as error:
            raise Unavailable(f"{path} is written but may not survive a power cut: {error.strerror}") from error

    def prune(self, path: str) -> None:
        """Removes the folders that a delete left empty, except those right under the root."""
        folder = dirname(path)
        with suppress(OSError):
            while folder != self._root and dirname(folder) != self._root:
                self.disk.rmdir(folder)
                folder = dirname(folder)

    def _sweep_at_times(self, fd: int) -> None:
        """At the first write and once an hour. Ages are told by the file system's own clock, from a file just written."""
        now = self._now()
        if self._swept_at is not None and now - self._swept_at < SCRATCH_AGE_S:
            return
        self._swept_at = now
        oldest = self.disk.facts(fd).st_mtime - SCRATCH_AGE_S
        for name in self.disk.names(self._scratch):
            with suppress(OSError):
                if self.disk.facts_at(f"{self._scratch}/{name}").st_mtime < oldest:
                    self.disk.unlink(f"{self._scratch}/{name}")


def _swept(scratch: str) -> Busy:
    return Busy(f"{scratch} was swept before it was used (was this process suspended?); nothing was written")


def _no_links(root: str) -> UnsafeStore:
    return UnsafeStore(
        f"the file system of {root} has no hard links, so two workers could both create one object",
        hint="put the store's folder on a local disk (ext4, XFS, Btrfs, APFS), or use a bucket",
    )
