"""Sound files in the formats that a narration may ask for: WAV by our own hand, the others by libsndfile.

Invariant: a decoder gets back as many samples as were written, in every format. FLAC and MP3 of the same sound have the
same bytes; an Ogg stream carries a number drawn by libsndfile, so that Opus files differ in it.

libsndfile 1.1 and later writes MP3 (LAME) and Opus; the wheels of `soundfile` bring 1.2.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpujob.errors import JobFailed

from .wav import CHANNELS, SAMPLE_BYTES, SAMPLE_RATE, write_wav

_BLOCK_BYTES = SAMPLE_RATE * SAMPLE_BYTES  # a second; libsndfile's Opus encoder is not made for all at once
_INSTALL = "pip install 'gpujob[tts]'"


@dataclass(frozen=True)
class Format:
    """A kind of file. Its name in a spec is its ending; `major` and `minor` are libsndfile's names."""

    media_type: str
    major: str = ""
    minor: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    names_software: bool = True  # whether it has a tag for the program that made it


FORMATS: Mapping[str, Format] = {
    "wav": Format("audio/wav"),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    # LAME's VBR at V2; about 70 kb/s for speech.
    "mp3": Format(
        "audio/mpeg",
        "MP3",
        "MPEG_LAYER_III",
        {"bitrate_mode": "VARIABLE", "compression_level": 0.2},
        names_software=False,
    ),
    # 48 kb/s: libsndfile spreads 256 to 6 kb/s over 0 to 1. RFC 7845 names the ending .opus and the type audio/ogg.
    "opus": Format("audio/ogg", "OGG", "OPUS", {"compression_level": 0.832}),
}


def require_format(name: str) -> None:
    """Raises JobFailed where this machine cannot write files of that format."""
    wanted = FORMATS[name]
    if not wanted.major:
        return
    try:
        known = importlib.import_module("soundfile").available_subtypes(wanted.major)
    except (ImportError, OSError) as error:
        raise JobFailed(f"input.format: {name} needs soundfile, and {error}", hint=_INSTALL) from error
    if wanted.minor not in known:
        raise JobFailed(f"input.format: this machine's libsndfile writes no {name}", hint=_INSTALL)


def write_sound(path: Path, name: str, sound: Iterable[bytes], tags: Mapping[str, str]) -> None:
    """Writes blocks of little-endian PCM 16 and the tags `title`, `software`, `comment` as a file of the format `name`."""
    wanted = FORMATS[name]
    if not wanted.major:
        write_wav(path, sound, tags)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with importlib.import_module("soundfile").SoundFile(
        str(path), "w", SAMPLE_RATE, CHANNELS, wanted.minor, format=wanted.major, **wanted.options
    ) as stream:
        for tag, text in _tags(wanted, tags).items():
            setattr(stream, tag, text)
        for block in sound:
            for start in range(0, len(block), _BLOCK_BYTES):
                stream.buffer_write(block[start : start + _BLOCK_BYTES], dtype="int16")


def _tags(wanted: Format, tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that the format has; where it has none for the program, the comment names it."""
    found = {name: text.replace("\0", "") for name, text in tags.items() if text}
    if not wanted.names_software and (software := found.pop("software", "")):
        found["comment"] = ", ".join(filter(None, (found.get("comment"), software)))
    return found
