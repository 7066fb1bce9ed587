"""Keys to file names and back.

Invariant: two keys never share a file, on any file system. Names hold only lower-case letters, digits and `._-%@`, so
a file system that ignores case or rewrites accents cannot confuse them; every other byte is written as `%xx`. An
object's file ends in `@` and a folder's name does not, so `a` and `a/b` can both be keys. No name starts with a
dot, which leaves those for the bucket's own use and makes leaving the root impossible.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from gpujob.errors import UnsafeName

KEY_BYTES = 1024  # what S3 allows
NAME_BYTES = 255  # what nearly every file system allows

_PLAIN = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
_PLAIN_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")


def file_of(key: str) -> str:
    """The key's file, relative to the bucket's folder. Raises `UnsafeName` for a key that no file can stand for."""
    return folder_of(key) + "@"


def folder_of(path: str) -> str:
    """The folder of keys that start with `path` and a slash. Raises `UnsafeName` as `file_of` does."""
    return "/".join([_stored(path, part) for part in _checked(path).split("/")])


def key_part(name: str) -> str | None:
    """What a file or folder of this name stands for: `part` or `part/`; None where the bucket never made such a name."""
    bare = name.removesuffix("@")
    slash = "/" if bare == name else ""
    if _PLAIN.fullmatch(bare):
        return bare + slash
    try:
        part = unquote_to_bytes(bare).decode()
    except UnicodeError:  # also a file's own name may be no text
        return None
    if part in ("", ".", "..") or "\0" in part or _escaped(part) != bare:
        return None
    return part + slash


def _checked(key: str) -> str:
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError:
        raise UnsafeName(f"the key {key!r} is not valid text") from None
    if size_bytes > KEY_BYTES:
        raise UnsafeName(f"the key {key[:60]!r}... takes {size_bytes} bytes; a bucket allows {KEY_BYTES}")
    if "\0" in key:
        raise UnsafeName(f"the key {key!r} holds a NUL character")
    return key


def _stored(key: str, part: str) -> str:
    if _PLAIN.fullmatch(part) and len(part) < NAME_BYTES:
        return part
    if part in ("", ".", ".."):
        raise UnsafeName(f"the key {key!r} has an empty, '.' or '..' part, which could leave the bucket's folder")
    name = _escaped(part)
    if len(name) >= NAME_BYTES:
        raise UnsafeName(f"the part {part[:60]!r}... of a key is too long for a file name; shorten it")
    return name


@lru_cache(maxsize=1024)
def _escaped(part: str) -> str:
    name = "".join(chr(byte) if byte in _PLAIN_BYTES else f"%{byte:02x}" for byte in part.encode())
    return "%2e" + name[1:] if name.startswith(".") else name
