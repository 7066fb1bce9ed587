"""From the flags of `gpujob encode` to the operations of a spec.

Invariant: as few operations as the wishes allow, so that the picture is encoded as seldom as possible; what only leads to
the next one is kept almost without loss under `parts/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gpujob.errors import InvalidSpec
from gpujob.specs.quantities import parse_duration

_SHORT_NAMES = {
    "h264": "libx264",
    "h265": "libx265",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "opus": "libopus",
    "mp3": "libmp3lame",
}
_SOUNDS = {".wav", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".flac"}
_KEPT = {"video_codec": "libx264", "crf": 10, "preset": "veryfast", "audio_codec": "flac"}
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")
_TRIM_FORM = "Write it like --trim 0:05-0:20, --trim 1m30s- or --trim -10s."


@dataclass(frozen=True)
class Wishes:
    """What the flags ask for. `quality` holds the fields of an operation: codec, size, rate and the like."""

    files: Sequence[str]
    name: str | None = None
    audio: str | None = None
    subtitles: str | None = None
    trim: tuple[float, float | None] | None = None
    loudnorm: bool = False
    gif: bool = False
    thumbnail: float | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)


def operations(wishes: Wishes) -> list[dict[str, Any]]:
    """The operations, in order. `files`, `audio` and `subtitles` are names of the job's files."""
    movie = list(_chain(wishes)) if _wants_movie(wishes) else []
    source = movie[-1]["output"] if movie else wishes.files[0]
    cut = {} if movie else _cut(wishes)
    made = [*movie]
    if wishes.gif:
        if "height" in wishes.quality and "width" not in wishes.quality and not movie:
            raise InvalidSpec("--scale: a GIF goes by its width", hint="Write it like --scale 480x.")
        sizes = {name: wishes.quality[name] for name in ("fps", "width") if name in wishes.quality}
        made.append({"type": "gif", "input": source, "output": _beside(wishes, ".gif"), **cut, **sizes})
    if wishes.thumbnail is not None:
        at = wishes.thumbnail + (cut.get("start", 0.0))
        made.append({"type": "thumbnail", "input": source, "output": _beside(wishes, ".png"), "at": at})
    return made


def names_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Names in the job for files of this machine: their own, numbered where two are alike."""
    found: dict[Path, str] = {}
    taken: set[str] = set()
    for path in dict.fromkeys(paths):
        name, number = path.name, 2
        while name.casefold() in taken:
            name, number = f"{path.stem}-{number}{path.suffix}", number + 1
        taken.add(name.casefold())
        found[path] = name
    return found


def quality(
    scale: str | None, video: str | None, audio: str | None, more: Mapping[str, float | str | None]
) -> dict[str, Any]:
    """The fields of an operation from the flags; those that were not given are left out. `vp9` is short for libvpx-vp9."""
    codecs = {
        "video_codec": video and _SHORT_NAMES.get(video, video),
        "audio_codec": audio and _SHORT_NAMES.get(audio, audio),
    }
    sizes = parse_size(scale) if scale else {}
    return {name: value for name, value in {**codecs, **more, **sizes}.items() if value is not None}


def parse_trim(text: str) -> tuple[float, float | None]:
    """`0:05-0:20` as seconds; an end that is left out is the end of the file."""
    start, dash, end = text.partition("-")
    if not dash or not (start.strip() or end.strip()):
        raise InvalidSpec(f"--trim {text!r} is not START-END", hint=_TRIM_FORM)
    begins = moment("--trim", start) if start.strip() else 0.0
    ends = moment("--trim", end) if end.strip() else None
    if ends is not None and ends <= begins:
        raise InvalidSpec(f"--trim {text!r} ends before it begins", hint=_TRIM_FORM)
    return begins, ends


def moment(flag: str, text: str) -> float:
    """A moment in a film, in seconds: `1:05`, `1:02:03.5`, `90s`, `3`."""
    if clock := _CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    try:
        return parse_duration(text.strip())
    except ValueError:
        raise InvalidSpec(f"{flag}: {text!r} is not a moment", hint="Write it like 3s, 0:05 or 1:02:03.5.") from None


def parse_size(text: str) -> dict[str, int]:
    """`1280x720`, or one side alone, as in `1280x` and `x720`: the other follows."""
    found = re.fullmatch(r"(\d{0,5})[x×](\d{0,5})", text.strip().lower())
    if not found or not any(found.groups()):
        raise InvalidSpec(f"--scale {text!r} is not WxH", hint="Write it like 1280x720, or 1280x, or x720.")
    return {name: int(side) for name, side in zip(("width", "height"), found.groups(), strict=True) if side}


def _wants_movie(wishes: Wishes) -> bool:
    """Whether a film or a sound is asked for; a GIF and a picture can be taken from the file as it is."""
    changed = bool(len(wishes.files) > 1 or wishes.audio or wishes.subtitles or wishes.loudnorm or wishes.name)
    if wishes.gif:
        return changed
    return changed or wishes.thumbnail is None or bool(wishes.quality) or wishes.trim is not None


def _chain(wishes: Wishes) -> Iterator[dict[str, Any]]:
    """The operations of the film: only the last one has the quality that was asked for, the others keep what there is."""
    steps: list[dict[str, Any]] = []
    if len(wishes.files) > 1:
        steps.append({"type": "concat", "inputs": list(wishes.files)})
    if wishes.trim is not None:
        steps.append({"type": "trim", **_cut(wishes)})
    if wishes.audio:
        steps.append({"type": "mux_audio", "audio": wishes.audio})
    if wishes.subtitles:
        steps.append({"type": "burn_subtitles", "subtitles": wishes.subtitles})
    if wishes.loudnorm:
        steps.append({"type": "loudnorm"})
    source = wishes.files[0]
    output = wishes.name or _default_name(wishes)
    steps = steps or [{"type": "transcode"}]
    for number, step in enumerate(steps, start=1):
        last = number == len(steps)
        made = output if last else f"parts/{number}-{step['type']}.mkv"
        given = {} if "inputs" in step else {"input": source}
        yield {**step, **given, "output": made, **(wishes.quality if last else _KEPT)}
        source = made


def _cut(wishes: Wishes) -> dict[str, float]:
    start, end = wishes.trim or (0.0, None)
    return ({"start": start} if start else {}) | ({"end": end} if end is not None else {})


def _default_name(wishes: Wishes) -> str:
    first = PurePosixPath(wishes.files[0])
    sound = all(PurePosixPath(name).suffix.lower() in _SOUNDS for name in wishes.files)
    return _fresh(wishes, first.stem, ".m4a" if sound else ".mp4")


def _beside(wishes: Wishes, ending: str) -> str:
    return _fresh(wishes, PurePosixPath(wishes.name or wishes.files[0]).stem, ending)


def _fresh(wishes: Wishes, stem: str, ending: str) -> str:
    """A name that is none of the inputs'."""
    taken = {name.casefold() for name in (*wishes.files, wishes.audio, wishes.subtitles) if name}
    return f"{stem}-encoded{ending}" if f"{stem}{ending}".casefold() in taken else f"{stem}{ending}"
