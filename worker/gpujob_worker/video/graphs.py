"""ffmpeg's arguments for each operation, built with ffmpeg-python.

Invariant: the files are named by us (`op0-in0`, `op0-out`), never by a job, so that no name is read as an option, a
protocol, a pattern or a part of a filter, and no ending hides what is inside. Every input carries the same limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ffmpeg

from .codecs import CODEC_OF, Codecs, audio_options, video_options
from .containers import Container
from .failures import invalid
from .probing import TEXTS, Media, Picture, input_options

_RATE = 48_000
_FALLBACK_FPS = 25.0


@dataclass(frozen=True)
class Source:
    """An input as it stands in the folder of the run."""

    path: str
    media: Media
    shown: str  # as the job calls it


@dataclass(frozen=True)
class Task:
    """One operation, ready to be turned into arguments."""

    operation: Mapping[str, Any]
    where: str  # operations[2], for messages
    sources: Sequence[Source]
    target: str
    container: Container
    codecs: Codecs
    subtitles: str = ""  # our own ASS file
    loudness: Mapping[str, str] = field(default_factory=dict)  # loudnorm's measurement of the first pass
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.operation["type"])


def arguments(task: Task) -> list[str]:
    """The arguments after ffmpeg's own name and its general options. Raises JobFailed(invalid_input)."""
    built: list[str] = ffmpeg.get_args(_BUILDERS[task.kind](task))
    return built


def measuring(task: Task) -> list[str]:
    """Loudnorm's first pass: measures, and writes nothing."""
    (source,) = task.sources
    sound = _input(source)["a:0"].filter("loudnorm", print_format="json", **_aims(task.operation))
    built: list[str] = ffmpeg.get_args(ffmpeg.output(sound, "-", format="null"))
    return built


def hearing(source: Source) -> list[str]:
    """Reads the sound from its first packet to its last, and writes nothing: how far that went is how long it is."""
    built: list[str] = ffmpeg.get_args(ffmpeg.output(_input(source)["a:0"], "-", format="null", **{"c:a": "copy"}))
    return built


def subtitle_conversion(source: str, target: str) -> list[str]:
    """Subtitles of any kind that is read here as an ASS file."""
    text = ffmpeg.input(source, **input_options(TEXTS))
    built: list[str] = ffmpeg.get_args(ffmpeg.output(text["s:0"], target, format="ass"))
    return built


def expected_s(task: Task) -> float | None:
    """How long the result will be, in seconds; None where that is not known."""
    first = task.sources[0].media.duration_s
    if task.kind == "concat":
        lengths = [source.media.duration_s for source in task.sources]
        return None if None in lengths else sum(length or 0.0 for length in lengths)
    if task.kind == "mux_audio":
        return first if not task.sources[0].media.still else task.sources[1].media.duration_s
    if task.kind in ("trim", "gif"):
        return _piece_s(task)
    return None if task.kind == "thumbnail" else first


# -- the operations


def _encoded(task: Task) -> Any:
    (source,) = task.sources
    return _result(task, source, _input(source))


def _trim(task: Task) -> Any:
    (source,) = task.sources
    return _result(task, source, _input(source, **_cut(task)), more={"map_chapters": "-1"})


def _mux_audio(task: Task) -> Any:
    source, sound = task.sources
    _require_picture(task, source)
    if sound.media.sound is None:
        raise invalid(f"{task.where}.audio: {sound.shown} has no sound")
    picture, noise = _input(source)["V:0"], _input(sound)["a:0"]
    if source.media.still:
        if task.codecs.video == "copy":
            raise invalid(f"{task.where}.video_codec: a still picture cannot be copied into a video", "Use auto.")
        picture = picture.filter("tpad", stop_mode="clone", stop="-1")
    length_s = expected_s(task)
    more = {"map_chapters": "-1"} | ({"t": _seconds(length_s)} if length_s else {})
    return _output(task, [_drawn(task, picture, source.media.picture), noise], more)


def _concat(task: Task) -> Any:
    with_picture = [source.media.picture is not None for source in task.sources]
    pictures = bool(task.container.video) and any(with_picture)
    if pictures and not all(with_picture):
        without = task.sources[with_picture.index(False)].shown
        raise invalid(f"{task.where}.inputs: {without} has no picture, and the others have one")
    sounds = task.codecs.audio is not None and any(source.media.sound for source in task.sources)
    if not pictures and not sounds:
        raise invalid(f"{task.where}.inputs: there is no sound in any of them, nor room for a picture in the result")
    streams = []
    for number, source in enumerate(task.sources):
        opened = _input(source)
        streams += [_fitted(task, opened["V:0"])] if pictures else []
        streams += [_like_the_others(task, number, opened)] if sounds else []
    joined = ffmpeg.concat(*streams, v=int(pictures), a=int(sounds)).node
    outputs = [joined[number] for number in range(int(pictures) + int(sounds))]
    return _output(task, outputs, {"map_chapters": "-1"})


def _thumbnail(task: Task) -> Any:
    (source,) = task.sources
    _require_picture(task, source)
    at_s = task.operation.get("at") or 0.0
    _refuse_late(task, "at", at_s)
    picture = _input(source, **({"ss": _seconds(at_s)} if at_s else {}))["V:0"]
    if _sized(task.operation):
        picture = picture.filter("scale", **_size(task.operation, multiple=1))
    quality = {"q:v": "2", "pix_fmt": "yuvj420p"} if task.container.still == "mjpeg" else {}
    return ffmpeg.output(
        picture, task.target, format=task.container.muxer, **{"c:v": task.container.still, "frames:v": "1"}, **quality
    )


def _gif(task: Task) -> Any:
    (source,) = task.sources
    _require_picture(task, source)
    picture = _input(source, **_cut(task))["V:0"].filter("fps", fps=_plain(task.operation.get("fps") or 12.0))
    if task.operation.get("width"):
        picture = picture.filter("scale", w=task.operation["width"], h="-1", flags="lanczos")
    both = picture.filter_multi_output("split")
    coloured = ffmpeg.filter([both[0], both[1].filter("palettegen")], "paletteuse")
    return ffmpeg.output(coloured, task.target, format="gif", loop="0", map_metadata="-1")


_BUILDERS: Mapping[str, Callable[[Task], Any]] = {
    "transcode": _encoded,
    "scale": _encoded,
    "burn_subtitles": _encoded,
    "loudnorm": _encoded,
    "trim": _trim,
    "mux_audio": _mux_audio,
    "concat": _concat,
    "thumbnail": _thumbnail,
    "gif": _gif,
}


# -- their parts


def _input(source: Source, **options: str) -> Any:
    return ffmpeg.input(source.path, **input_options(), **options)


def _result(task: Task, source: Source, opened: Any, more: Mapping[str, str] = {}) -> Any:
    """The output with the picture and the sound of one input."""
    if task.kind in ("scale", "burn_subtitles"):
        _require_picture(task, source)
    if task.kind == "loudnorm" and source.media.sound is None:
        raise invalid(f"{task.where}.input: {source.shown} has no sound")
    streams = []
    if task.codecs.video is not None and source.media.picture is not None:
        streams.append(_drawn(task, opened["V:0"], source.media.picture))
    if task.codecs.audio is not None and source.media.sound is not None:
        streams.append(_loud(task, opened["a:0"], source))
    if not streams:
        raise invalid(f"{task.where}.input: {source.shown} has nothing that goes into {task.operation['output']}")
    return _output(task, streams, more)


def _output(task: Task, streams: Sequence[Any], more: Mapping[str, str]) -> Any:
    operation, codecs = task.operation, task.codecs
    options = dict(task.container.options)
    if codecs.video is not None and task.container.video:
        options |= video_options(codecs.video, operation)
        if task.container.muxer in ("mp4", "mov") and CODEC_OF.get(codecs.video) == "hevc":
            options["tag:v"] = "hvc1"
    if codecs.audio is not None:
        options |= audio_options(codecs.audio, operation)
    options["map_metadata"] = "-1"
    for number, (name, value) in enumerate(task.tags.items()):
        options[f"metadata:g:{number}"] = f"{name}={value}"
    return ffmpeg.output(*streams, task.target, format=task.container.muxer, **options, **more)


def _drawn(task: Task, picture: Any, shape: Picture | None) -> Any:
    """The picture as the operation wants it, in a form that every player shows."""
    operation = task.operation
    if task.codecs.video == "copy":
        return picture
    if operation.get("fps"):
        picture = picture.filter("fps", fps=_plain(operation["fps"]))
    if _sized(operation):
        picture = picture.filter("scale", **_size(operation)).filter("setsar", sar="1")
    elif shape is None or shape.width % 2 or shape.height % 2:
        picture = picture.filter("scale", w="trunc(iw/2)*2", h="trunc(ih/2)*2")
    if task.subtitles:
        picture = picture.filter("ass", filename=task.subtitles)
    return picture.filter("format", pix_fmts="yuv420p")


def _loud(task: Task, sound: Any, source: Source) -> Any:
    """The sound, brought to its loudness where that was measured. loudnorm itself works at 192 kHz."""
    if not task.loudness or source.media.sound is None:
        return sound
    rate = min(source.media.sound.sample_rate or _RATE, _RATE)
    sound = sound.filter("loudnorm", linear="true", **_aims(task.operation), **task.loudness)
    return sound.filter("aformat", sample_rates=rate)


def _fitted(task: Task, picture: Any) -> Any:
    """A picture of the common size and rate, with bars where its shape is another."""
    first = task.sources[0].media.picture
    assert first is not None
    width = _even(task.operation.get("width") or first.width)
    height = _even(task.operation.get("height") or first.height)
    if task.operation.get("width") and not task.operation.get("height"):
        height = _even(round(first.height * width / first.width))
    if task.operation.get("height") and not task.operation.get("width"):
        width = _even(round(first.width * height / first.height))
    return (
        picture.filter("fps", fps=_plain(task.operation.get("fps") or first.fps or _FALLBACK_FPS))
        .filter("scale", w=width, h=height, force_original_aspect_ratio="decrease")
        .filter("pad", w=width, h=height, x="(ow-iw)/2", y="(oh-ih)/2")
        .filter("setsar", sar="1")
        .filter("format", pix_fmts="yuv420p")
    )


def _like_the_others(task: Task, number: int, opened: Any) -> Any:
    """The sound in the common form; as much silence as there is picture where the input has no sound."""
    source = task.sources[number]
    if source.media.sound is None:
        if source.media.duration_s is None:
            raise invalid(f"{task.where}.inputs: {source.shown} has no sound and does not say how long it is")
        # Equal inputs would be one node of ffmpeg-python's graph, whose output cannot be used twice: blocks differ in size.
        silence = ffmpeg.input(
            f"anullsrc=r={_RATE}:cl=stereo:n={1024 + number}", format="lavfi", t=_seconds(source.media.duration_s)
        )
        sound = silence["a:0"]
    else:
        sound = opened["a:0"]
    return sound.filter("aformat", sample_fmts="fltp", sample_rates=_RATE, channel_layouts="stereo")


def _aims(operation: Mapping[str, Any]) -> dict[str, str]:
    return {
        "I": _plain(operation.get("integrated", -16.0)),
        "TP": _plain(operation.get("true_peak", -1.5)),
        "LRA": _plain(operation.get("range", 11.0)),
    }


def _cut(task: Task) -> dict[str, str]:
    start_s = task.operation.get("start") or 0.0
    _refuse_late(task, "start", start_s)
    options = {"ss": _seconds(start_s)} if start_s else {}
    if task.operation.get("end") is not None:
        options["t"] = _seconds(task.operation["end"] - start_s)
    return options


def _piece_s(task: Task) -> float | None:
    start_s, end_s = task.operation.get("start") or 0.0, task.operation.get("end")
    whole_s = task.sources[0].media.duration_s
    if whole_s is not None:
        return max(0.0, min(whole_s, end_s if end_s is not None else whole_s) - start_s)
    return end_s - start_s if end_s is not None else None


def _refuse_late(task: Task, name: str, moment_s: float) -> None:
    source = task.sources[0]
    length_s = source.media.duration_s
    if moment_s and length_s is not None and moment_s >= length_s:
        raise invalid(
            f"{task.where}.{name}: {_plain(moment_s)} s is not in {source.shown}, which is {length_s:.2f} s long"
        )


def _require_picture(task: Task, source: Source) -> None:
    if source.media.picture is None:
        raise invalid(f"{task.where}.input: {source.shown} has no picture")


def _sized(operation: Mapping[str, Any]) -> bool:
    return bool(operation.get("width") or operation.get("height"))


def _size(operation: Mapping[str, Any], multiple: int = 2) -> dict[str, Any]:
    """The scale filter's size: sides that were left out follow, and all are multiples of two where codecs need that."""
    width, height = operation.get("width"), operation.get("height")
    rounded = _even if multiple == 2 else int
    return {
        "w": rounded(width) if width else f"-{multiple}",
        "h": rounded(height) if height else f"-{multiple}",
    }


def _even(pixels: int) -> int:
    return max(2, pixels // 2 * 2)


def _seconds(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def _plain(number: float) -> str:
    return f"{number:g}"
