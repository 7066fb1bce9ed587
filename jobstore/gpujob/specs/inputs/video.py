"""The input of `video.encode`: operations of ffmpeg, one after the other, on the job's own files.

Invariant: an operation reads the job's files and what earlier operations made, nothing else: no paths, no protocols, no
raw arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from gpujob.specs.fields import Duration, FileName, Input, Strict, clashes
from gpujob.specs.nearest import did_you_mean
from gpujob.specs.problems import Finding, Path
from gpujob.specs.quantities import parse_duration
from gpujob.specs.raw import rows, words

VideoCodec = Literal["auto", "libx264", "libx265", "libvpx-vp9", "libsvtav1", "h264_nvenc", "hevc_nvenc", "copy"]
AudioCodec = Literal["auto", "aac", "libopus", "libmp3lame", "flac", "pcm_s16le", "copy", "none"]
Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
]  # fmt: skip
Pixels = Annotated[int, Field(ge=2, le=16384)]
_READ_FROM = ("input", "inputs", "audio", "subtitles")


class Operation(Strict):
    """What every operation has."""

    output: FileName = Field(description="The file it makes; its ending decides the container.")


class Encoded(Operation):
    """How a result is encoded."""

    video_codec: VideoCodec = Field(
        default="auto", description="`auto`: the GPU's encoder where it really works, else libx264."
    )
    crf: Annotated[int, Field(ge=0, le=63)] | None = Field(
        default=None, description="Quality: lower is better and larger."
    )
    preset: Preset | None = Field(default=None, description="Slower is smaller.")
    audio_codec: AudioCodec = Field(default="auto", description="`auto`: what suits the container.")
    audio_bitrate: Annotated[str, Field(pattern=r"^\d{1,4}k$")] | None = Field(
        default=None, description="Such as `128k`."
    )
    fps: Annotated[float, Field(gt=0, le=240)] | None = Field(default=None, description="Frames a second.")
    width: Pixels | None = Field(default=None, description="Pixels; the height follows where it is left out.")
    height: Pixels | None = Field(default=None, description="Pixels; the width follows where it is left out.")


class Transcode(Encoded):
    """Encode a file anew."""

    type: Literal["transcode"]
    input: FileName = Field(description="The file to read.")


class Concat(Encoded):
    """Join files, one after the other."""

    type: Literal["concat"]
    inputs: Annotated[tuple[FileName, ...], Field(strict=False, min_length=2, max_length=1000)] = Field(
        description="The files to join, in order."
    )


class MuxAudio(Encoded):
    """Put a sound track under a picture."""

    type: Literal["mux_audio"]
    input: FileName = Field(description="The file with the picture.")
    audio: FileName = Field(description="The file with the sound.")


class BurnSubtitles(Encoded):
    """Write subtitles into the picture."""

    type: Literal["burn_subtitles"]
    input: FileName = Field(description="The file to read.")
    subtitles: FileName = Field(description="The subtitles: SRT, VTT or ASS.")


class Scale(Encoded):
    """Change the size of the picture."""

    type: Literal["scale"]
    input: FileName = Field(description="The file to read.")


class Trim(Encoded):
    """Cut a piece out."""

    type: Literal["trim"]
    input: FileName = Field(description="The file to read.")
    start: Duration = Field(default=0.0, description="Where the piece begins.")
    end: Duration | None = Field(default=None, description="Where it ends; the end of the file if left out.")


class Thumbnail(Operation):
    """Take one frame."""

    type: Literal["thumbnail"]
    input: FileName = Field(description="The file to read.")
    at: Duration = Field(default=0.0, description="The moment of the frame.")
    width: Pixels | None = Field(default=None, description="Pixels; the height follows where it is left out.")
    height: Pixels | None = Field(default=None, description="Pixels; the width follows where it is left out.")


class Loudnorm(Encoded):
    """Bring the sound to a standard loudness, in two passes."""

    type: Literal["loudnorm"]
    input: FileName = Field(description="The file to read.")
    integrated: Annotated[float, Field(ge=-70, le=-5)] = Field(default=-16.0, description="Loudness wanted, in LUFS.")
    true_peak: Annotated[float, Field(ge=-9, le=0)] = Field(default=-1.5, description="Highest peak, in dBTP.")
    range: Annotated[float, Field(ge=1, le=50)] = Field(default=11.0, description="Loudness range, in LU.")


class Gif(Operation):
    """Make an animated GIF with a palette of its own."""

    type: Literal["gif"]
    input: FileName = Field(description="The file to read.")
    start: Duration = Field(default=0.0, description="Where it begins.")
    end: Duration | None = Field(default=None, description="Where it ends; the end of the file if left out.")
    fps: Annotated[float, Field(gt=0, le=50)] = Field(default=12.0, description="Frames a second.")
    width: Pixels | None = Field(default=None, description="Pixels; the height follows.")


AnyOperation = Annotated[
    Transcode | Concat | MuxAudio | BurnSubtitles | Scale | Trim | Thumbnail | Loudnorm | Gif,
    Field(discriminator="type"),
]


class Video(Input):
    """Operations of ffmpeg on the job's own files."""

    operations: Annotated[tuple[AnyOperation, ...], Field(strict=False, min_length=1, max_length=1000)] = Field(
        description="What to do, in order."
    )

    @classmethod
    def check(cls, given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
        """Inputs are there when they are read; outputs are new names; pieces end after they begin."""
        yield from _unknown_inputs(given, files)
        yield from _clashing_outputs(given, files)
        for path, row in rows(given, "operations"):
            yield from _backwards(path, row)
            if row.get("type") == "scale" and "width" not in row and "height" not in row:
                yield Finding(path, "width missing", 'give "width", "height" or both')


def _unknown_inputs(given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
    there = set(files)
    for path, row in rows(given, "operations"):
        for field in _READ_FROM:
            for tail, name in words(row, field):
                if name not in there:
                    made = any(name == other.get("output") for _, other in rows(given, "operations"))
                    yield _not_there(path + tail, name, there, made)
        there.update(name for _, name in words(row, "output"))


def _not_there(path: Path, name: str, there: set[str], made_later: bool) -> Finding:
    if made_later:
        return Finding(path, "not one of the job's files", "and the operation that makes it does not come earlier")
    listed = 'list it under "files", or write the output of an earlier operation'
    return Finding(path, "not one of the job's files", did_you_mean(name, there) or listed)


def _clashing_outputs(given: Mapping[str, Any], files: frozenset[str]) -> Iterator[Finding]:
    inputs: list[tuple[Path, str]] = [((), name) for name in sorted(files)]
    outputs = [((*path, "output"), name) for path, row in rows(given, "operations") for _, name in words(row, "output")]
    yield from (finding for finding in clashes(inputs + outputs) if finding.path)


def _backwards(path: Path, row: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        start, end = parse_duration(row.get("start", 0)), parse_duration(row["end"])
    except (KeyError, ValueError):
        return
    if end <= start:
        yield Finding((*path, "end"), "must be later than start")
