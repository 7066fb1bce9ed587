"""The kinds of files that can be made, by their ending, and what may be in them.

Invariant: the first codec of each row is what `auto` means there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from .failures import invalid

_FAST_START: Mapping[str, str] = {"movflags": "+faststart"}


@dataclass(frozen=True)
class Container:
    """A format that ffmpeg writes. Without `video` it is a sound file; stills are frames."""

    muxer: str
    media_type: str
    video: tuple[str, ...] = ()
    audio: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    still: str = ""  # the encoder of a picture


MOVIES: Mapping[str, Container] = {
    ".mp4": Container("mp4", "video/mp4", ("h264", "hevc", "vp9", "av1"), ("aac", "mp3", "opus"), _FAST_START),
    ".m4v": Container("mp4", "video/mp4", ("h264", "hevc"), ("aac",), _FAST_START),
    ".mov": Container("mov", "video/quicktime", ("h264", "hevc"), ("aac", "mp3", "pcm_s16le"), _FAST_START),
    ".mkv": Container(
        "matroska", "video/x-matroska", ("h264", "hevc", "vp9", "av1"), ("aac", "opus", "mp3", "flac", "pcm_s16le")
    ),
    ".webm": Container("webm", "video/webm", ("vp9", "av1"), ("opus",)),
}
SOUNDS: Mapping[str, Container] = {
    ".m4a": Container("ipod", "audio/mp4", (), ("aac",), _FAST_START),
    ".aac": Container("adts", "audio/aac", (), ("aac",)),
    ".mp3": Container("mp3", "audio/mpeg", (), ("mp3",)),
    ".opus": Container("opus", "audio/ogg", (), ("opus",)),
    ".ogg": Container("ogg", "audio/ogg", (), ("opus", "flac")),
    ".flac": Container("flac", "audio/flac", (), ("flac",)),
    ".wav": Container("wav", "audio/wav", (), ("pcm_s16le",)),
}
STILLS: Mapping[str, Container] = {
    ".png": Container("image2pipe", "image/png", still="png"),
    ".jpg": Container("image2pipe", "image/jpeg", still="mjpeg"),
    ".jpeg": Container("image2pipe", "image/jpeg", still="mjpeg"),
    ".webp": Container("webp", "image/webp", still="libwebp"),
}
GIFS: Mapping[str, Container] = {".gif": Container("gif", "image/gif")}

_WITH_A_PICTURE = ("scale", "burn_subtitles", "mux_audio")


def container_of(kind: str, output: str, where: str) -> Container:
    """The container of the file that an operation of this kind makes. Raises JobFailed(invalid_input)."""
    ending = PurePosixPath(output).suffix.lower()
    known = _known(kind)
    if ending in known:
        return known[ending]
    message = f"{where}.output: {kind} makes no {ending} file" if ending else f"{where}.output: has no ending"
    raise invalid(message, f"The ending decides the container; {kind} knows {', '.join(known)}.")


def _known(kind: str) -> Mapping[str, Container]:
    if kind == "thumbnail":
        return STILLS
    if kind == "gif":
        return GIFS
    return MOVIES if kind in _WITH_A_PICTURE else {**MOVIES, **SOUNDS}
