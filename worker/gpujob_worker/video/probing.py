"""What is in a file: asked of ffprobe, or read from ffmpeg's own description where there is no ffprobe.

Invariant: both readers give the same facts, and a file that is none is refused as `invalid_input`. Only formats that
hold their own data may be opened: a playlist, or a script that names other files, is no video here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .failures import cause, invalid
from .program import Program
from .running import run

FORMATS = (
    "mov,matroska,webm,avi,asf,flv,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,mxf,dv,nut,yuv4mpegpipe,"
    "ogg,mp3,aac,flac,wav,w64,aiff,caf,amr,ac3,eac3,gif,apng,"
    "png_pipe,jpeg_pipe,webp_pipe,webp_anim,bmp_pipe,tiff_pipe"
)
TEXTS = "srt,webvtt,ass"
MOST_CHARACTERS = 1_000_000  # of ffprobe's answer


@dataclass(frozen=True)
class Picture:
    """A video stream, as it is shown: turned as the file says."""

    codec: str
    width: int
    height: int
    fps: float | None = None


@dataclass(frozen=True)
class Sound:
    """An audio stream."""

    codec: str
    sample_rate: int
    channels: int


@dataclass(frozen=True)
class Media:
    """What is in a file. `duration_s` is None for stills, and where the file does not say."""

    format: str
    duration_s: float | None = None
    picture: Picture | None = None
    sound: Sound | None = None

    @property
    def still(self) -> bool:
        """Whether it is one picture."""
        return self.format.endswith("_pipe")


def input_options(formats: str = FORMATS) -> dict[str, str]:
    """The options before every `-i`: files alone, and of these no format that opens others."""
    return {"protocol_whitelist": "file,pipe", "format_whitelist": formats}


def probe(program: Program, folder: Path, file: str, *, shown: str, check: Callable[[], None]) -> Media:
    """The facts of a file in `folder`; `shown` is what the user calls it. Raises JobFailed(invalid_input)."""
    options = [word for name, value in input_options().items() for word in (f"-{name}", value)]
    if program.ffprobe:
        heard = bytearray()
        arguments = [program.ffprobe, "-hide_banner", "-loglevel", "level+error", *options, "-of", "json"]
        ended = run([*arguments, "-show_format", "-show_streams", file], folder, check=check, hear=heard.extend)
        media = from_ffprobe(heard[:MOST_CHARACTERS].decode(errors="replace")) if ended.code == 0 else None
    else:
        ended = run([program.ffmpeg, "-hide_banner", "-nostdin", *options, "-i", file], folder, check=check)
        media = from_banner(ended.said)
    if media is None or (media.picture is None and media.sound is None):
        raise not_media(shown, ended.said.replace(file, shown))
    return media


def not_media(shown: str, said: str) -> Exception:
    """The failure of a file that cannot be read."""
    words = cause(said)
    if "whitelist" in said or "m3u8" in said:
        words = "its format is none that is read here; playlists and lists of files are not followed"
    return invalid(
        f"{shown}: is no video, sound or picture that can be read: {words or 'there is no such stream in it'}",
        "Look whether it plays at home, and submit the file itself.",
    )


def from_ffprobe(text: str) -> Media | None:
    """The facts in ffprobe's JSON; None where there are none."""
    try:
        return _told(json.loads(text))
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError, RecursionError):
        return None  # ffprobe writes nothing of the sort, but it has read somebody's file


def _told(answer: Mapping[str, Any]) -> Media:
    streams = answer.get("streams") or []
    form = answer["format"]
    videos = [one for one in streams if one.get("codec_type") == "video" and not _attached(one)]
    sounds = [one for one in streams if one.get("codec_type") == "audio"]
    return Media(
        str(form.get("format_name", "")),
        _positive(form.get("duration")),
        _picture(videos[0]) if videos else None,
        _sound(sounds[0]) if sounds else None,
    )


def _attached(stream: Mapping[str, Any]) -> bool:
    return bool((stream.get("disposition") or {}).get("attached_pic"))


def _picture(stream: Mapping[str, Any]) -> Picture | None:
    width, height = int(stream.get("width") or 0), int(stream.get("height") or 0)
    if not width or not height:
        return None
    turns = [side.get("rotation") for side in stream.get("side_data_list") or [] if "rotation" in side]
    if turns and _lies_down(float(turns[0])):
        width, height = height, width
    return Picture(str(stream.get("codec_name", "")), width, height, _rate(str(stream.get("avg_frame_rate", ""))))


def _sound(stream: Mapping[str, Any]) -> Sound:
    return Sound(
        str(stream.get("codec_name", "")), int(stream.get("sample_rate") or 0), int(stream.get("channels") or 0)
    )


_INPUT = re.compile(r"^Input #0, (.+?), from ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d{1,9}):(\d\d):(\d\d\.\d{1,9})", re.MULTILINE)
_STREAM = re.compile(r"^ {2,4}Stream #0:\d+\S*: (Video|Audio): (.+)$", re.MULTILINE)
_TURN = re.compile(r"^ +displaymatrix: rotation of (-?\d{1,9}(?:\.\d*)?) degrees", re.MULTILINE)
_SIZE = re.compile(r"\b([1-9]\d{0,8})x([1-9]\d{0,8})\b")
_CHANNELS = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "4.0": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8}


def from_banner(said: str) -> Media | None:
    """The facts in what `ffmpeg -i FILE` says; None where it could not open the file."""
    opened = _INPUT.search(said)
    if opened is None:
        return None
    streams = [(found[1], found[2]) for found in _STREAM.finditer(said)]
    videos = [text for kind, text in streams if kind == "Video" and "(attached pic)" not in text]
    sounds = [text for kind, text in streams if kind == "Audio"]
    length = _DURATION.search(said)
    duration_s = float(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None
    return Media(
        opened[1],
        duration_s or None,
        _picture_in(videos[0], _TURN.search(said)) if videos else None,
        _sound_in(sounds[0]) if sounds else None,
    )


def _picture_in(text: str, turn: re.Match[str] | None) -> Picture | None:
    size = _SIZE.search(text.split(", ", 1)[-1])
    if size is None:
        return None
    width, height = int(size[1]), int(size[2])
    if turn is not None and _lies_down(float(turn[1])):
        width, height = height, width
    rate = re.search(r"([\d.]+) fps", text)
    return Picture(_first_word(text), width, height, _positive(rate[1]) if rate else None)


def _sound_in(text: str) -> Sound:
    rate = re.search(r"\b(\d{1,9}) Hz, ([^,]+)", text)
    layout = rate[2].split("(")[0].strip() if rate else ""
    counted = re.match(r"(\d{1,9}) channels", layout)
    channels = int(counted[1]) if counted else _CHANNELS.get(layout, 0)
    return Sound(_first_word(text), int(rate[1]) if rate else 0, channels)


def _first_word(text: str) -> str:
    return re.split(r"[ ,(]", text, maxsplit=1)[0]


def _lies_down(degrees: float) -> bool:
    return round(abs(degrees)) % 180 == 90


def _rate(text: str) -> float | None:
    """`30000/1001` as a number."""
    above, _, below = text.partition("/")
    numerator, denominator = _positive(above), _positive(below or "1")
    return round(numerator / denominator, 3) if numerator and denominator else None


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < 1e9 else None
