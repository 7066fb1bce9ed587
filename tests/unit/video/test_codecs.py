"""Containers by ending and encoders by wish: what is taken for auto, and what is refused before ffmpeg starts."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from gpujob.errors import JobFailed
from gpujob.specs.inputs import video
from gpujob_worker.video.codecs import CODEC_OF, Codecs, audio_options, choose, video_options
from gpujob_worker.video.containers import container_of

WHERE = "input.operations[3]"


def chosen(nvenc: bool = False, **operation: Any) -> Codecs:
    operation = {"type": "transcode", "output": "o.mp4", **operation}
    return choose(operation, container_of(operation["type"], operation["output"], WHERE), WHERE, nvenc=nvenc)


@pytest.mark.parametrize(
    ("operation", "nvenc", "expected"),
    [
        ({}, False, Codecs("libx264", "aac")),
        ({}, True, Codecs("h264_nvenc", "aac", falls_back=True)),
        ({"video_codec": "h264_nvenc"}, True, Codecs("h264_nvenc", "aac")),
        ({"output": "o.webm"}, True, Codecs("libvpx-vp9", "libopus")),
        ({"output": "o.wav"}, True, Codecs(None, "pcm_s16le")),
        ({"output": "o.ogg", "audio_codec": "flac"}, False, Codecs(None, "flac")),
        ({"output": "O.MP4", "audio_codec": "none"}, False, Codecs("libx264", None)),
        ({"video_codec": "copy", "audio_codec": "copy"}, True, Codecs("copy", "copy")),
    ],
)
def test_auto_is_what_suits_the_container_and_the_machine(
    operation: dict[str, Any], nvenc: bool, expected: Codecs
) -> None:
    assert chosen(nvenc, **operation) == expected


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ({"output": "o.xyz"}, r"operations\[3\].output: transcode makes no .xyz file"),
        ({"output": "plain"}, "has no ending"),
        ({"type": "scale", "output": "o.mp3"}, "scale makes no .mp3 file"),
        ({"type": "thumbnail", "output": "o.mp4"}, "thumbnail makes no .mp4 file"),
        ({"type": "gif", "output": "o.png"}, "gif makes no .png file"),
        ({"output": "o.webm", "video_codec": "libx264"}, "libx264 does not go into o.webm"),
        ({"output": "o.mp3", "audio_codec": "aac"}, "aac does not go into o.mp3"),
        ({"output": "o.mp3", "audio_codec": "none"}, "none leaves nothing"),
        ({"type": "loudnorm", "audio_codec": "copy"}, "loudnorm changes it"),
        ({"video_codec": "copy", "width": 100, "fps": 5}, "fps and width changes it"),
        ({"type": "burn_subtitles", "video_codec": "copy"}, "burn_subtitles changes it"),
        ({"type": "concat", "audio_codec": "copy"}, "concat changes it"),
        ({"crf": 60}, "libx264 knows 0 to 51, not 60"),
    ],
)
def test_what_cannot_be_is_refused(operation: dict[str, Any], said: str) -> None:
    with pytest.raises(JobFailed, match=said) as failure:
        chosen(**operation)
    assert (failure.value.type, failure.value.retryable) == ("invalid_input", False)


def test_every_codec_and_preset_of_the_spec_is_known() -> None:
    encoders = set(get_args(video.VideoCodec)) - {"auto", "copy"}
    sounds = set(get_args(video.AudioCodec)) - {"auto", "copy", "none"}
    assert encoders | sounds == set(CODEC_OF)
    for encoder in encoders:
        settings = [video_options(encoder, {"preset": preset, "crf": 30}) for preset in get_args(video.Preset)]
        assert all("30" in options.values() for options in settings)
        assert len({tuple(options.items()) for options in settings}) >= 6
    for sound in sounds:
        assert audio_options(sound, {"audio_bitrate": "64k"}) == {"c:a": sound, "b:a": "64k"}
