"""Makes one voices archive (npz) out of raw float32 arrays, without numpy.

Invariant: the bytes depend on the arrays and their names alone (sorted, stored, a fixed date), so that the archive
has one sha256 wherever it is made. The layout is the one that `numpy.savez` writes (NEP 1, version 1.0, every
member with the zip64 field), and for Kokoro's 54 voices equals the official `voices-v1.0.bin`.
"""

from __future__ import annotations

import gzip
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

SHAPE = (510, 1, 256)
ARRAY_BYTES = 510 * 256 * 4
_VOICE = re.compile(r"[a-z]{2}_[a-z0-9]+\.bin")
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_voices(arrays: Mapping[str, bytes], target: Path) -> None:
    """Writes the archive of `arrays` (voice name to 510x256 little-endian float32) to `target`."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", _ZIP_EPOCH)
            member.create_system = 3
            member.external_attr = 0o600 << 16
            with archive.open(member, "w", force_zip64=True) as stream:
                stream.write(_npy_header())
                stream.write(arrays[name])


def read_tarball(tarball: Path, folder: str) -> dict[str, bytes]:
    """The voices in `folder` of an npm tarball. Nothing is unpacked to disk, and other members are passed over.

    Raises tarfile.TarError, EOFError for what is no such thing.
    """
    try:
        return _voices_in(tarball, folder)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise tarfile.ReadError(str(error)) from error


def _voices_in(tarball: Path, folder: str) -> dict[str, bytes]:
    voices: dict[str, bytes] = {}
    with tarfile.open(tarball, "r:gz") as archive:
        for member in archive:
            path = PurePosixPath(member.name)
            if not (member.isfile() and str(path.parent) == folder and _VOICE.fullmatch(path.name)):
                continue
            stream = archive.extractfile(member)
            if stream is not None and member.size == ARRAY_BYTES:
                voices[path.stem] = stream.read()
    return voices


def _npy_header() -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {SHAPE}, }}"
    prefix_bytes = 10  # magic, version and the length field
    padded = text.ljust(128 - prefix_bytes - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode("ascii")
