"""Back doors of the local buckets: they look at what lies behind, without the code under test."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

from gpujob.buckets.memory import MemoryBucket


class MemoryBackDoor:
    """Looks at the dictionary behind a memory bucket."""

    def __init__(self, bucket: MemoryBucket) -> None:
        self._bucket = bucket

    def raw_get(self, key: str) -> bytes | None:
        stored = self._bucket._objects.get(key)
        return stored.body if stored else None

    def raw_put(self, key: str, body: bytes) -> None:
        self._bucket._place(key, self._bucket._fresh(key, body))

    def raw_keys(self) -> list[str]:
        return sorted(self._bucket._objects)


class FolderBackDoor:
    """Reads and writes the files of a folder bucket: names end in `@`, a first line comes before the body."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def raw_get(self, key: str) -> bytes | None:
        try:
            content = self._file(key).read_bytes()
        except FileNotFoundError:
            return None
        line, newline, body = content.partition(b"\n")
        assert newline and line.startswith(b"gpujob1 ") and len(line) == 58, f"{key} has no first line: {line!r}"
        return body

    def raw_put(self, key: str, body: bytes) -> None:
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"gpujob1 %s 1760000000.000000\n" % os.urandom(16).hex().encode() + body)

    def raw_keys(self) -> list[str]:
        files = [file.relative_to(self._root).as_posix() for file in self._root.rglob("*@") if file.is_file()]
        return sorted(unquote(file[:-1]) for file in files if not file.startswith(".scratch/"))

    def scratch_files(self) -> list[str]:
        return sorted(os.listdir(self._root / ".scratch")) if (self._root / ".scratch").exists() else []

    def _file(self, key: str) -> Path:
        stored = "".join(f"%{ord(c):02x}" if c.isupper() else quote(c, safe="/").lower() for c in key)
        return self._root / (stored + "@")
