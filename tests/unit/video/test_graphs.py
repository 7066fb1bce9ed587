"""The argument lists of every operation, and that no name and no option of a job reaches them unchecked."""

from __future__ import annotations

from typing import Any

import pytest

from gpujob.errors import JobFailed
from gpujob_worker.video.codecs import Codecs, choose
from gpujob_worker.video.containers import container_of
from gpujob_worker.video.graphs import Source, Task, arguments, expected_s, measuring, subtitle_conversion
from gpujob_worker.video.probing import FORMATS, Media, Picture, Sound

CLIP = Media("mov,mp4,m4a,3gp,3g2,mj2", 10.0, Picture("h264", 640, 360, 25.0), Sound("aac", 44_100, 2))
SILENT = Media("matroska,webm", 4.0, Picture("vp9", 321, 241, 30.0))
SONG = Media("mp3", 7.0, None, Sound("mp3", 44_100, 2))
STILL = Media("png_pipe", None, Picture("png", 321, 241))


def task(*media: Media, nvenc: bool = False, **operation: Any) -> Task:
    operation.setdefault("output", "out.mp4")
    where = "input.operations[0]"
    container = container_of(operation["type"], operation["output"], where)
    plain = operation["type"] in ("thumbnail", "gif")
    codecs = Codecs(container.still, None) if plain else choose(operation, container, where, nvenc=nvenc)
    sources = [Source(f"op0-in{number}", one, f"file {number}.mp4") for number, one in enumerate(media)]
    return Task(operation, where, sources, "op0-out", container, codecs)


def built(*media: Media, **operation: Any) -> str:
    return " ".join(arguments(task(*media, **operation)))


def test_transcode() -> None:
    words = arguments(task(CLIP, type="transcode", crf=20, preset="slow", audio_bitrate="96k", fps=30.0))
    line = " ".join(words)
    assert "[0:V:0]fps=fps=30[s0];[s0]format=pix_fmts=yuv420p[s1]" in words
    assert "-c:v libx264" in line and "-crf 20" in line and "-preset slow" in line
    assert "-c:a aac" in line and "-b:a 96k" in line and "-map 0:a:0" in line
    assert "-movflags +faststart" in line and words[-1] == "op0-out"


@pytest.mark.parametrize(
    ("operation", "parts"),
    [
        ({"type": "scale", "width": 321}, ["scale=h=-2:w=320", "setsar=sar=1"]),
        ({"type": "scale", "height": 100}, ["scale=h=100:w=-2"]),
        ({"type": "scale", "width": 64, "height": 48}, ["scale=h=48:w=64"]),
        ({"type": "trim", "start": 1.5, "end": 4.0}, ["-ss 1.5 -t 2.5 -i op0-in0", "-map_chapters -1"]),
        ({"type": "trim", "start": 3}, ["-ss 3 -i op0-in0"]),
        ({"type": "gif", "output": "o.gif", "end": 2, "width": 80}, ["-t 2 ", "scale=flags=lanczos:h=-1:w=80", "paletteuse"]),
        ({"type": "thumbnail", "output": "o.jpg", "at": 3.0}, ["-ss 3 ", "-c:v mjpeg", "-frames:v 1", "-f image2pipe"]),
        ({"type": "transcode", "output": "o.webm"}, ["-c:v libvpx-vp9", "-b:v 0", "-c:a libopus", "-f webm"]),
        ({"type": "transcode", "output": "o.mp3"}, ["-c:a libmp3lame", "-f mp3"]),
        ({"type": "transcode", "output": "O.MKV", "video_codec": "copy"}, ["-c:v copy", "-map 0:V:0"]),
        ({"type": "transcode", "video_codec": "libx265"}, ["-tag:v hvc1"]),
        ({"type": "transcode", "video_codec": "libsvtav1", "preset": "fast"}, ["-preset 8", "-crf 35"]),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_each_wish_is_in_the_arguments(operation: dict[str, Any], parts: list[str]) -> None:
    line = built(CLIP, **operation)
    assert [part for part in parts if part not in line] == []


def test_every_input_is_limited_to_files_of_known_formats() -> None:
    operations: list[tuple[tuple[Media, ...], dict[str, Any]]] = [
        ((CLIP,), {"type": "transcode"}),
        ((CLIP, SONG), {"type": "mux_audio"}),
        ((CLIP, CLIP, CLIP), {"type": "concat"}),
        ((CLIP,), {"type": "thumbnail", "output": "o.png"}),
        ((CLIP,), {"type": "gif", "output": "o.gif"}),
    ]
    lists = [arguments(task(*media, **operation)) for media, operation in operations]
    for words in [*lists, measuring(task(CLIP, type="loudnorm")), subtitle_conversion("in", "out.ass")]:
        inputs = words.count("-i")
        assert inputs >= 1
        assert words.count("-protocol_whitelist") == words.count("-format_whitelist") == inputs
        assert {words[at + 1] for at, word in enumerate(words) if word == "-protocol_whitelist"} == {"file,pipe"}
    assert not {"hls", "concat", "dash", "image2", "lavfi", "imf", "sdp", "svg_pipe", "vobsub"} & set(
        FORMATS.split(",")
    )


def test_a_picture_with_odd_sides_is_made_even() -> None:
    assert "scale=h=trunc(ih/2)*2:w=trunc(iw/2)*2" in built(SILENT, type="transcode").replace("\\", "")
    assert "trunc" not in built(CLIP, type="transcode")


def test_concat_brings_all_to_one_size_rate_and_sound() -> None:
    line = built(CLIP, SILENT, CLIP, SILENT, type="concat", height=181)
    assert line.count("fps=fps=25") == 4
    assert line.count("pad=h=180:w=320") == 4
    assert "concat=a=1:n=4:v=1" in line
    assert line.count("-f lavfi") == 2  # silence for the two that have no sound
    assert "anullsrc=r=48000:cl=stereo:n=1025" in line and "anullsrc=r=48000:cl=stereo:n=1027" in line


def test_concat_of_sounds_and_of_silent_pictures() -> None:
    assert "concat=a=1:n=2:v=0" in built(SONG, SONG, type="concat", output="o.mp3")
    assert "concat=a=0:n=2:v=1" in built(SILENT, SILENT, type="concat")


def test_mux_audio_lasts_as_long_as_the_picture_and_a_still_as_long_as_the_sound() -> None:
    line = built(CLIP, SONG, type="mux_audio", video_codec="copy")
    assert "-t 10 " in line and "-c:v copy" in line
    still = built(STILL, SONG, type="mux_audio")
    assert "-t 7 " in still and "tpad=stop=-1:stop_mode=clone" in still


def test_loudnorm_measures_and_then_aims() -> None:
    one = task(CLIP, type="loudnorm", integrated=-14.0)
    assert "loudnorm=I=-14:LRA=11:TP=-1.5:print_format=json" in " ".join(measuring(one))
    second = Task(**{**vars(one), "loudness": {"measured_I": "-20", "offset": "0.1"}})
    line = " ".join(arguments(second))
    assert "loudnorm=I=-14:LRA=11:TP=-1.5:linear=true:measured_I=-20:offset=0.1" in line
    assert "aformat=sample_rates=44100" in line


def test_subtitles_are_read_from_a_file_of_ours() -> None:
    one = Task(**{**vars(task(CLIP, type="burn_subtitles")), "subtitles": "op0-subtitles.ass"})
    assert "ass=filename=op0-subtitles.ass" in " ".join(arguments(one))


def test_tags_are_one_argument_each_whatever_is_in_them() -> None:
    one = Task(**{**vars(task(CLIP, type="transcode")), "tags": {"title": "-i x; it's=[y]", "comment": "gpujob"}})
    words = arguments(one)
    assert words[words.index("-metadata:g:0") + 1] == "title=-i x; it's=[y]"
    assert words[words.index("-metadata:g:1") + 1] == "comment=gpujob"


def test_the_gpu_encodes_where_it_may() -> None:
    words = " ".join(arguments(task(CLIP, nvenc=True, type="transcode", preset="slow", crf=19)))
    assert "-c:v h264_nvenc" in words and "-cq 19" in words and "-preset p5" in words and "-crf" not in words


@pytest.mark.parametrize(
    ("media", "operation", "length_s"),
    [
        ((CLIP,), {"type": "transcode"}, 10.0),
        ((CLIP, SILENT), {"type": "concat"}, 14.0),
        ((CLIP, SONG), {"type": "mux_audio"}, 10.0),
        ((STILL, SONG), {"type": "mux_audio"}, 7.0),
        ((CLIP,), {"type": "trim", "start": 4}, 6.0),
        ((CLIP,), {"type": "trim", "start": 4, "end": 99}, 6.0),
        ((CLIP,), {"type": "gif", "output": "o.gif", "start": 1, "end": 3}, 2.0),
        ((CLIP,), {"type": "thumbnail", "output": "o.png"}, None),
    ],
)
def test_the_expected_length(media: tuple[Media, ...], operation: dict[str, Any], length_s: float | None) -> None:
    assert expected_s(task(*media, **operation)) == length_s


@pytest.mark.parametrize(
    ("media", "operation", "said"),
    [
        ((SONG,), {"type": "scale", "width": 100}, "has no picture"),
        ((SONG,), {"type": "burn_subtitles"}, "has no picture"),
        ((SONG,), {"type": "thumbnail", "output": "o.png"}, "has no picture"),
        ((SONG,), {"type": "gif", "output": "o.gif"}, "has no picture"),
        ((SILENT,), {"type": "loudnorm"}, "has no sound"),
        ((SILENT,), {"type": "transcode", "output": "o.mp3"}, "nothing that goes into o.mp3"),
        ((CLIP, SILENT), {"type": "mux_audio"}, r"operations\[0\].audio: file 1.mp4 has no sound"),
        ((STILL, SONG), {"type": "mux_audio", "video_codec": "copy"}, "cannot be copied"),
        ((CLIP, SONG), {"type": "concat"}, "file 1.mp4 has no picture"),
        ((SILENT, SILENT), {"type": "concat", "output": "o.mp3"}, "no sound in any"),
        ((CLIP,), {"type": "trim", "start": 10}, "10 s is not in file 0.mp4, which is 10.00 s long"),
        ((CLIP,), {"type": "thumbnail", "output": "o.png", "at": 11}, r"at: 11 s is not in"),
    ],
)
def test_what_the_files_do_not_allow_is_said(media: tuple[Media, ...], operation: dict[str, Any], said: str) -> None:
    with pytest.raises(JobFailed, match=said) as failure:
        arguments(task(*media, **operation))
    assert (failure.value.type, failure.value.retryable) == ("invalid_input", False)
