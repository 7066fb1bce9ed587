"""Which encoder makes a result, and the options that its quality and speed go by.

Invariant: what cannot work is refused before ffmpeg is started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .containers import Container
from .failures import invalid

CODEC_OF = {
    "libx264": "h264",
    "h264_nvenc": "h264",
    "libx265": "hevc",
    "hevc_nvenc": "hevc",
    "libvpx-vp9": "vp9",
    "libsvtav1": "av1",
    "aac": "aac",
    "libopus": "opus",
    "libmp3lame": "mp3",
    "flac": "flac",
    "pcm_s16le": "pcm_s16le",
}
_ENCODER = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
_SOUND_ENCODER = {"aac": "aac", "opus": "libopus", "mp3": "libmp3lame", "flac": "flac", "pcm_s16le": "pcm_s16le"}
_MOST_CRF = {"libx264": 51, "libx265": 51, "h264_nvenc": 51, "hevc_nvenc": 51}
_NO_CRF_GIVEN = {"libx264": 23, "libx265": 28, "libvpx-vp9": 32, "libsvtav1": 35, "h264_nvenc": 23, "hevc_nvenc": 28}
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_NVENC = ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7")
_VP9 = (8, 7, 6, 5, 4, 3, 2, 1, 0)
_SVT = (12, 11, 10, 9, 8, 7, 5, 4, 2)
_DRAWS = ("fps", "width", "height")


@dataclass(frozen=True)
class Codecs:
    """The encoders of a result; `copy` takes the stream over as it is, and None leaves it out."""

    video: str | None
    audio: str | None
    falls_back: bool = False  # whether the CPU may encode where the GPU fails


def choose(operation: Mapping[str, Any], container: Container, where: str, *, nvenc: bool) -> Codecs:
    """The encoders for an operation that has codecs to choose. Raises JobFailed(invalid_input) for what cannot be."""
    video = _video(operation, container, where, nvenc=nvenc)
    audio = _audio(operation, container, where)
    _refuse_copies(operation, video, audio, where)
    return Codecs(video, audio, operation.get("video_codec", "auto") == "auto" and _is_nvenc(video))


def _video(operation: Mapping[str, Any], container: Container, where: str, *, nvenc: bool) -> str | None:
    wanted = operation.get("video_codec", "auto")
    if not container.video:
        return None
    if wanted == "copy":
        return "copy"
    if wanted == "auto":
        auto = container.video[0]
        wanted = "h264_nvenc" if nvenc and auto == "h264" else _ENCODER[auto]
    elif CODEC_OF[wanted] not in container.video:
        raise _misfit(where, "video_codec", wanted, operation, container.video)
    crf = operation.get("crf")
    if crf is not None and crf > _MOST_CRF.get(wanted, 63):
        raise invalid(f"{where}.crf: {wanted} knows 0 to {_MOST_CRF[wanted]}, not {crf}")
    return str(wanted)


def _audio(operation: Mapping[str, Any], container: Container, where: str) -> str | None:
    wanted = operation.get("audio_codec", "auto")
    if wanted == "none":
        if not container.video or operation["type"] in ("mux_audio", "loudnorm"):
            raise invalid(f"{where}.audio_codec: none leaves nothing of what {operation['type']} is for here")
        return None
    if wanted == "copy":
        return "copy"
    if wanted == "auto":
        return _SOUND_ENCODER[container.audio[0]]
    if CODEC_OF[wanted] not in container.audio:
        raise _misfit(where, "audio_codec", wanted, operation, container.audio)
    return str(wanted)


def _refuse_copies(operation: Mapping[str, Any], video: str | None, audio: str | None, where: str) -> None:
    kind = operation["type"]
    changes = [name for name in _DRAWS if operation.get(name) is not None]
    if video == "copy" and (changes or kind in ("burn_subtitles", "concat", "scale")):
        what = " and ".join(changes) if changes else kind
        raise invalid(f"{where}.video_codec: copy leaves the picture as it is, and {what} changes it", "Use auto.")
    if audio == "copy" and kind in ("loudnorm", "concat"):
        raise invalid(f"{where}.audio_codec: copy leaves the sound as it is, and {kind} changes it", "Use auto.")


def _misfit(where: str, name: str, wanted: str, operation: Mapping[str, Any], known: tuple[str, ...]) -> Exception:
    return invalid(
        f"{where}.{name}: {wanted} does not go into {operation['output']}",
        f"That container takes {', '.join(known)}; another ending is another container.",
    )


def _is_nvenc(encoder: str | None) -> bool:
    return encoder is not None and encoder.endswith("_nvenc")


def video_options(encoder: str, operation: Mapping[str, Any]) -> dict[str, str]:
    """The output options of a video encoder: quality and speed, in its own words.

    Sources: ffmpeg's manual of codecs; NVENC's presets p1..p7; SVT-AV1's 0..13; libvpx's cpu-used.
    """
    if encoder == "copy":
        return {"c:v": "copy"}
    crf = str(operation.get("crf", _NO_CRF_GIVEN[encoder]))
    speed = _PRESETS.index(operation.get("preset", "medium"))
    options = {"c:v": encoder, "crf": crf}
    if encoder in ("libx264", "libx265"):
        options["preset"] = _PRESETS[speed]
    elif encoder == "libsvtav1":
        options["preset"] = str(_SVT[speed])
    elif encoder == "libvpx-vp9":
        deadline = "realtime" if _VP9[speed] > 5 else "good"
        options |= {"b:v": "0", "deadline": deadline, "cpu-used": str(_VP9[speed]), "row-mt": "1"}
    else:
        options = {"c:v": encoder, "preset": _NVENC[speed], "rc": "vbr", "cq": crf, "b:v": "0"}
    return options


def audio_options(encoder: str, operation: Mapping[str, Any]) -> dict[str, str]:
    """The output options of an audio encoder."""
    bitrate = operation.get("audio_bitrate")
    return {"c:a": encoder} | ({"b:a": str(bitrate)} if bitrate and encoder != "copy" else {})
