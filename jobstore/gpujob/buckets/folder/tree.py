"""The keys of a folder tree in the order of a bucket's listing.

Invariant: keys come in ascending order of the whole key, which is not the order of the folders: an object `a` sorts as
`a`, but the folder `a` sorts as `a/`, after `a!` and before `a0`. Only names are read, never a file's facts, and a
subtree that holds nothing wanted is not read at all, nor is one behind a link.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop

from gpujob.buckets.folder.disk import Disk
from gpujob.buckets.folder.names import file_of, folder_of, key_part
from gpujob.errors import UnsafeName


def keys_in(disk: Disk, root: str, prefix: str, after: str) -> Iterator[str]:
    """Keys that start with `prefix` and sort after `after`, ascending; some may be gone when the caller looks."""
    base = prefix[: prefix.rfind("/") + 1]
    try:
        folder = f"{root}/{folder_of(base[:-1])}" if base else root
    except UnsafeName:
        return  # no key has such a prefix
    if base >= after[: len(base)]:
        yield from _walk(disk, folder, base, prefix, after)


def _walk(disk: Disk, folder: str, base: str, prefix: str, after: str) -> Iterator[str]:
    start = prefix[len(base) :]
    low = after[len(base) :] if after.startswith(base) else ""
    parts = _wanted(_names(disk, folder, base), start, low)
    heapify(parts)  # cheaper than sorting: a page takes only the first of them
    while parts:
        part = heappop(parts)
        if part.endswith("/"):
            within = f"{folder}/{folder_of(part[:-1])}"
            if not disk.first_link([within]):
                yield from _walk(disk, within, base + part, prefix, after)
        elif _storable(base + part):
            yield base + part


def _wanted(names: list[str], start: str, low: str) -> list[str]:
    """The parts that can belong to the answer: keys that begin with `start` and sort after `low`, and folders of such."""
    parts = [name[:-1] for name in names if name[-1] == "@" and "%" not in name]  # the many, without a call for each
    parts = [part for part in parts if part > low and part.startswith(start)]
    for part in (key_part(name) for name in names if name[-1] != "@" or "%" in name):
        if part and _may_hold(part, start, low):
            parts.append(part)
    return parts


def _storable(key: str) -> bool:
    """False for what a file that somebody else put there seems to say."""
    try:
        return bool(file_of(key))
    except UnsafeName:
        return False


def _may_hold(part: str, start: str, low: str) -> bool:
    if part.endswith("/"):
        return (part.startswith(start) or start.startswith(part)) and part >= low[: len(part)]
    return part > low and part.startswith(start)


def _names(disk: Disk, folder: str, base: str) -> list[str]:
    try:
        return disk.names(folder)
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        if base:
            return []  # a file that somebody else put there
        raise
