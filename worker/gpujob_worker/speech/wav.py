"""Writes and reads WAV files: PCM 16, mono, with INFO tags after the sound.

Invariant: the bytes depend on the sound and the tags alone. The tags stand after the data chunk, so that simple
readers, which take the sound to start at byte 44, are right.

Format: "Multimedia Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991), RIFF, LIST INFO.
"""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterable, Mapping
from pathlib import Path

SAMPLE_RATE = 24_000
CHANNELS = 1
SAMPLE_BYTES = 2
MAX_SAMPLES = (2**32 - 1_000_000) // SAMPLE_BYTES  # RIFF counts its bytes in 32 bits; leave room for the tags

_TAGS = {"title": b"INAM", "software": b"ISFT", "comment": b"ICMT"}


class NotOurWav(ValueError):
    """The file is not a WAV of our format, or it is truncated."""


def silence(samples: int) -> bytes:
    """That many samples of nothing."""
    """So many samples of nothing."""
    return bytes(samples * SAMPLE_BYTES)


def samples_of(seconds: float) -> int:
    """Seconds as a whole number of samples."""
    return round(seconds * SAMPLE_RATE)


def write_wav(path: Path, sound: Iterable[bytes], tags: Mapping[str, str] | None = None) -> int:
    """Writes blocks of little-endian PCM 16 and the tags `title`, `software`, `comment`; returns the samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.write(_header(0, 0))
        sound_bytes = 0
        for block in sound:
            stream.write(block)
            sound_bytes += len(block)
        info = _info(tags or {})
        stream.write(info)
        stream.seek(0)
        stream.write(_header(sound_bytes, len(info)))
    return sound_bytes // SAMPLE_BYTES


def read_wav(path: Path) -> bytes:
    """The sound of a file that `write_wav` wrote. Raises NotOurWav for any other file."""
    try:
        with wave.open(str(path), "rb") as stream:
            shape = (stream.getframerate(), stream.getnchannels(), stream.getsampwidth())
            frames = stream.getnframes()
            sound = stream.readframes(frames)
    except (wave.Error, EOFError, RuntimeError) as error:  # the last for a chunk that is longer than the file
        raise NotOurWav(f"{path.name} is not a WAV file: {error}") from error
    if shape != (SAMPLE_RATE, CHANNELS, SAMPLE_BYTES) or len(sound) != frames * SAMPLE_BYTES:
        raise NotOurWav(f"{path.name} is not 24 kHz mono PCM 16, or it is truncated")
    return sound


def _header(sound_bytes: int, info_bytes: int) -> bytes:
    form = struct.pack("<4sI4s", b"RIFF", 36 + sound_bytes + info_bytes, b"WAVE")
    rate_bytes = SAMPLE_RATE * CHANNELS * SAMPLE_BYTES
    layout = (16, 1, CHANNELS, SAMPLE_RATE, rate_bytes, CHANNELS * SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    return form + struct.pack("<4sIHHIIHH", b"fmt ", *layout) + struct.pack("<4sI", b"data", sound_bytes)


def _info(tags: Mapping[str, str]) -> bytes:
    entries = b"".join(_entry(_TAGS[name], tags[name]) for name in _TAGS if tags.get(name))
    return struct.pack("<4sI4s", b"LIST", 4 + len(entries), b"INFO") + entries if entries else b""


def _entry(code: bytes, text: str) -> bytes:
    value = text.replace("\0", "").encode() + b"\0"
    return struct.pack("<4sI", code, len(value)) + value + bytes(len(value) % 2)
