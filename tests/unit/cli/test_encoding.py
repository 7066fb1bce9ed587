"""The flags of `gpujob encode`: which operations they become, and what a moment, a piece and a size look like."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from gpujob.errors import InvalidSpec
from gpujob.specs import parse_object
from gpujob_cli.encoding import Wishes, moment, names_of, operations, parse_size, parse_trim, quality


def made(*files: str, **more: Any) -> list[dict[str, Any]]:
    """The operations, once the specs have accepted them."""
    wishes = Wishes(files=files or ("screen.webm",), **more)
    names = dict.fromkeys(name for name in (*wishes.files, wishes.audio, wishes.subtitles) if name)
    found = operations(wishes)
    listed = [{"name": name, "source": name} for name in names]
    parse_object({"kind": "video.encode", "input": {"operations": found}, "files": listed})
    return found


def shapes(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["type"], one["output"]) for one in found]


@pytest.mark.parametrize(
    ("files", "wishes", "expected"),
    [
        ((), {}, [("transcode", "screen.mp4")]),
        (("a.mp4",), {}, [("transcode", "a-encoded.mp4")]),
        (("a.wav",), {"loudnorm": True}, [("loudnorm", "a.m4a")]),
        (("a.wav",), {"name": "b.mp3"}, [("transcode", "b.mp3")]),
        (("a.mp4", "b.mov"), {}, [("concat", "a-encoded.mp4")]),
        ((), {"gif": True}, [("gif", "screen.gif")]),
        ((), {"gif": True, "trim": (5.0, 20.0)}, [("gif", "screen.gif")]),
        ((), {"thumbnail": 3.0}, [("thumbnail", "screen.png")]),
        ((), {"thumbnail": 3.0, "gif": True}, [("gif", "screen.gif"), ("thumbnail", "screen.png")]),
        ((), {"thumbnail": 3.0, "quality": {"crf": 20}}, [("transcode", "screen.mp4"), ("thumbnail", "screen.png")]),
        ((), {"name": "x.mkv", "gif": True}, [("transcode", "x.mkv"), ("gif", "x.gif")]),
        (
            ("a.mp4", "b.mov"),
            {"audio": "v.mp3", "subtitles": "s.srt", "name": "talk.mp4"},
            [("concat", "parts/1-concat.mkv"), ("mux_audio", "parts/2-mux_audio.mkv"), ("burn_subtitles", "talk.mp4")],
        ),
    ],
)
def test_the_operations(files: tuple[str, ...], wishes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert shapes(made(*files, **wishes)) == expected


def test_each_operation_reads_what_the_one_before_has_made() -> None:
    chain = made("a.mp4", "b.mp4", trim=(1.0, None), audio="v.mp3", loudnorm=True, thumbnail=2.0)
    assert chain[0]["inputs"] == ["a.mp4", "b.mp4"]
    for before, now in itertools.pairwise(chain):
        assert now["input"] == before["output"]
    assert chain[-1]["at"] == 2.0


def test_only_the_last_has_the_quality_that_was_asked_for() -> None:
    wished = {"crf": 30, "video_codec": "libx265", "width": 640}
    first, last = made(trim=(1.0, 2.0), subtitles="s.srt", quality=wished)
    assert {name: last[name] for name in wished} == wished
    assert (first["crf"], first["audio_codec"], "width" in first) == (10, "flac", False)


def test_a_gif_and_a_picture_are_taken_from_the_piece() -> None:
    gif, picture = made(gif=True, thumbnail=1.0, trim=(5.0, 20.0), quality={"fps": 10.0, "width": 480, "crf": 3})
    assert gif == {
        "type": "gif", "input": "screen.webm", "output": "screen.gif", "start": 5.0, "end": 20.0, "fps": 10.0, "width": 480,
    }  # fmt: skip
    assert picture["at"] == 6.0
    with pytest.raises(InvalidSpec, match="by its width"):
        made(gif=True, quality={"height": 100})


def test_files_of_one_name_are_told_apart() -> None:
    paths = [Path("one/a.mp4"), Path("two/A.mp4"), Path("three/a.mp4"), Path("one/a.mp4")]
    assert list(names_of(paths).values()) == ["a.mp4", "A-2.mp4", "a-3.mp4"]


def test_quality_leaves_out_what_was_not_given_and_knows_short_names() -> None:
    given = quality("1280x720", "vp9", "opus", {"crf": None, "fps": 25.0})
    assert given == {"video_codec": "libvpx-vp9", "audio_codec": "libopus", "fps": 25.0, "width": 1280, "height": 720}
    assert quality(None, None, "none", {}) == {"audio_codec": "none"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("3s", 3), ("0:05", 5), ("1:02:03.5", 3723.5), ("1m30s", 90), ("400ms", 0.4), (" 0:07 ", 7)],
)
def test_moments(text: str, seconds: float) -> None:
    assert moment("--thumbnail", text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "-3", "1:xx"])
def test_what_is_no_moment_is_told(text: str) -> None:
    with pytest.raises(InvalidSpec, match="--thumbnail"):
        moment("--thumbnail", text)


@pytest.mark.parametrize(
    ("text", "piece"),
    [("0:05-0:20", (5, 20)), ("90s-", (90, None)), ("-10s", (0, 10)), ("1:00:00 - 1:00:01.5", (3600, 3601.5))],
)
def test_pieces(text: str, piece: tuple[float, float | None]) -> None:
    assert parse_trim(text) == piece


@pytest.mark.parametrize("text", ["", "-", "5", "0:20-0:05", "5-5", "a-b"])
def test_what_is_no_piece_is_told(text: str) -> None:
    with pytest.raises(InvalidSpec, match="--trim"):
        parse_trim(text)


def test_sizes() -> None:
    assert parse_size("1280x720") == {"width": 1280, "height": 720}
    assert (parse_size("1280x"), parse_size("x720")) == ({"width": 1280}, {"height": 720})
    for wrong in ("x", "1280", "axb", "-1x5", ""):
        with pytest.raises(InvalidSpec, match="--scale"):
            parse_size(wrong)
